"""What a delivery may be refused for."""

from almanac.errors import BadRequest, Forbidden


class UnprovenDelivery(Forbidden):
    """The signature or token is missing or wrong, or there is no such repository: the three are not told apart."""

    code = "invalid_signature"
    title = "Invalid signature"


class MissingEvent(BadRequest):
    """The header that names the event is missing."""

    code = "missing_event"
    title = "Missing event"


class InvalidPayload(BadRequest):
    """The sender proved itself and the body is not what its event promises."""

    code = "invalid_payload"
    title = "Invalid payload"
