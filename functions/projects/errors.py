"""What can go wrong with projects and what is in them."""

from almanac.errors import Conflict, NotFound, Unprocessable


class ProjectNotFound(NotFound):
    """There is no such project in the caller's tenant, or it was deleted."""

    code = "project_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("There is no project with this id.", field=field)


class MemberNotFound(NotFound):
    """The project is not private, or has no such member."""

    code = "project_member_not_found"

    def __init__(self) -> None:
        super().__init__("The project has no member with this id.")


class ProjectNotPrivate(Conflict):
    """Everybody in the tenant sees the project, so nobody can be let in."""

    code = "project_not_private"

    def __init__(self) -> None:
        super().__init__("Everybody in the tenant sees this project: make it private first.")


class RepositoryNotFound(NotFound):
    """There is no such repository in this project, or it was deleted."""

    code = "repository_not_found"

    def __init__(self) -> None:
        super().__init__("There is no repository with this id in this project.")


class CheckpointNotFound(NotFound):
    """There is no such checkpoint in the caller's tenant, or it or its project was deleted."""

    code = "checkpoint_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("There is no checkpoint with this id.", field=field)


class MessageNotFound(NotFound):
    """There is no such message in the caller's tenant, or what holds it was deleted."""

    code = "message_not_found"

    def __init__(self) -> None:
        super().__init__("There is no message with this id.")


class AlreadyConnected(Conflict):
    """The project has this remote with this selection of branches; `repository_id` says where."""

    code = "repository_already_connected"

    def __init__(self, repository_id: str) -> None:
        detail = "This address is connected to the project with the same branches."
        super().__init__(detail, field="body.url", repository_id=repository_id)


class DuplicateContent(Conflict):
    """Another message of the checkpoint, `message_id`, has this content."""

    code = "duplicate_content"

    def __init__(self, message_id: str) -> None:
        detail = "Another message of this checkpoint has this content."
        super().__init__(detail, field="body.content", message_id=message_id)


class InvalidSelection(Unprocessable):
    """A branch and a pattern at once."""

    code = "invalid_branch_selection"
