"""What can go wrong with following and reading events."""

from almanac.errors import AppError, BadRequest, Conflict, NotFound, Unauthorized, Unavailable


class TopicNotFound(NotFound):
    """There is no such topic, or the caller does not see what it is about: the two are not told apart."""

    code = "topic_not_found"

    def __init__(self) -> None:
        detail = "There is no such topic: name one as `document:doc_...`, `collection:`, `project:` or `repository:`."
        super().__init__(detail, field="query.topic")


class EventsGone(AppError):
    """The events that were asked for are not kept any more. `oldest` is the first that is, or the next to come."""

    status = 410
    code = "gone"
    title = "Gone"

    def __init__(self, oldest: int) -> None:
        detail = f"Events before {oldest} are not kept: read what the topic is about, and go on after {oldest - 1}."
        super().__init__(detail, field="query.after", oldest=oldest)
        self.oldest = oldest


class TicketRefused(Unauthorized):
    """The ticket is none of ours, was used before or is too old."""

    code = "ticket_refused"

    def __init__(self) -> None:
        super().__init__("Take a new ticket: each opens one connection within a minute.")


class ConnectionGone(AppError):
    """The connection is closed, or its caller may not read any more."""

    status = 410
    code = "connection_gone"
    title = "Gone"

    def __init__(self) -> None:
        super().__init__("Take a new ticket and connect again.")


class TooManyTopics(Conflict):
    """The connection follows as many topics as it may."""

    code = "too_many_topics"

    def __init__(self, most: int) -> None:
        super().__init__(f"A connection follows at most {most} topics: unsubscribe from one, or open another.")


class InvalidFrame(BadRequest):
    """A frame is not of the protocol."""

    code = "invalid_frame"


class TopicBusy(Unavailable):
    """Events came faster than they could be told again."""

    code = "busy"

    def __init__(self) -> None:
        super().__init__("The topic is busy: subscribe again, with the last sequence that you have.")
