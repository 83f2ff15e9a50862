"""What can go wrong with documents and the collections that they are in."""

from almanac.errors import Conflict, Forbidden, NotFound, TooLarge, Unprocessable


class DocumentNotFound(NotFound):
    """There is no such document in the caller's tenant, or it or what holds it was deleted."""

    code = "document_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("There is no document with this id.", field=field)


class CollectionNotFound(NotFound):
    """There is no such collection in the caller's tenant, or it or its project was deleted."""

    code = "collection_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("There is no collection with this id.", field=field)


class ProjectNotFound(NotFound):
    """There is no such project in the caller's tenant, or it was deleted."""

    code = "project_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("There is no project with this id.", field=field)


class ReceiptNotFound(NotFound):
    """No such document was deleted, or the caller may not know of it."""

    code = "receipt_not_found"

    def __init__(self) -> None:
        super().__init__("There is no receipt of a deletion for this document.")


class DocumentNotDeleted(Conflict):
    """The document is there: what would be removed is not known before it is."""

    code = "document_not_deleted"

    def __init__(self) -> None:
        super().__init__("This document was not deleted: there is no receipt before it is.")


class CollectionReadOnly(Forbidden):
    """The caller is a member of the private collection who may only read in it."""

    code = "collection_read_only"

    def __init__(self) -> None:
        super().__init__("You may only read in this collection: ask one of its members for the right to write.")


class WrongProject(Unprocessable):
    """The collection is not in the project that was named with it."""

    code = "wrong_project"

    def __init__(self) -> None:
        detail = "The collection is in another project, or in none: leave the project out."
        super().__init__(detail, field="body.project_id")


class CollectionNotEmpty(Conflict):
    """There are documents in the collection."""

    code = "collection_not_empty"

    def __init__(self) -> None:
        detail = (
            "There are documents in this collection: move or delete them, or delete them with it (`documents=delete`)."
        )
        super().__init__(detail, field="query.documents")


class CollectionNotPrivate(Conflict):
    """Everybody who sees the collection's project sees it, so nobody can be let in."""

    code = "collection_not_private"

    def __init__(self) -> None:
        super().__init__("This collection is not private: make it private first.")


class MemberNotFound(NotFound):
    """The collection is not private, or has no such member."""

    code = "collection_member_not_found"

    def __init__(self) -> None:
        super().__init__("The collection has no member with this id.")


class EditConflict(Conflict):
    """The document was changed since the caller read it. `current_edits` is what it is at now."""

    code = "version_conflict"

    def __init__(self, current: int) -> None:
        super().__init__("It was changed since: read it again.", field="body.edits", current_edits=current)


class DocumentVersionNotFound(NotFound):
    """The document has no such version."""

    code = "document_version_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("The document has no version of this number: list its versions.", field=field)


class UploadPending(Conflict):
    """A file is expected already."""

    code = "upload_pending"

    def __init__(self) -> None:
        super().__init__("A file is expected already: upload it, or give that up with `DELETE .../upload`.")


class UploadNotFound(NotFound):
    """No file is expected: it has arrived, or was given up, or came too late."""

    code = "upload_not_found"

    def __init__(self) -> None:
        super().__init__("No file is expected for this document: begin with `POST .../versions`.")


class UploadNotInParts(Conflict):
    """The upload is a single form: it is complete when the file has arrived."""

    code = "upload_not_in_parts"

    def __init__(self) -> None:
        super().__init__("This upload is a single form: there is nothing to complete.")


class InvalidParts(Unprocessable):
    """The parts are not those that were uploaded."""

    code = "invalid_parts"

    def __init__(self) -> None:
        detail = "These are not the parts that were uploaded: name each with the `ETag` that its upload answered."
        super().__init__(detail, field="body.parts")


class EmptyFile(Unprocessable):
    """The file has no bytes."""

    code = "file_empty"

    def __init__(self) -> None:
        super().__init__("The file is empty.", field="body")


class DirectUploadTooLarge(TooLarge):
    """Larger than what a call takes; larger files go straight to the bucket."""

    code = "direct_upload_too_large"

    def __init__(self, limit: int) -> None:
        detail = f"A call takes files of at most {limit} bytes: begin an upload with `POST /documents` instead."
        super().__init__(detail, field="body")


class NothingUploaded(Conflict):
    """No file has arrived yet."""

    code = "nothing_uploaded"

    def __init__(self) -> None:
        super().__init__("No file has arrived for this document yet.")


class DuplicateDocument(Conflict):
    """Another document in the place, `document_id`, has these bytes."""

    code = "duplicate_document"

    def __init__(self, document_id: str) -> None:
        super().__init__("There is a document with the same bytes in this place.", document_id=document_id)
