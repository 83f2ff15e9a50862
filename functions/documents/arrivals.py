"""Queue entry for what the bucket tells: files have arrived."""

from functools import cache
from typing import Any
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from almanac import runtime
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.dependencies import Dependencies
from almanac.errors import TerminalError
from almanac.events import Event
from almanac.ids import new_ulid
from almanac.settings import ArrivalsQueueSettings, BucketSettings, TableSettings
from almanac.tenancy import working_for
from almanac.worker.batch import Deadline, Response, Worker
from documents.model import Cause
from documents.services.arrivals import Arrivals

_TEST = "s3:TestEvent"
_INTERNAL = "An error of Almanac's own."


class StoreSettings(TableSettings, BucketSettings):
    pass


@cache
def dependencies() -> Dependencies:
    settings, clients = StoreSettings.load(), runtime.clients()
    return Dependencies(Table(settings.table, clients), Blobs(settings.bucket, clients))


class Arrived(BaseModel):
    """The file of one upload."""

    model_config = ConfigDict(frozen=True)

    tenant_id: str
    document_id: str
    version: int


class Arrival(Event):
    """One message of the bucket: files, as a rule one; none when the bucket tries the queue."""

    arrived: tuple[Arrived, ...] = Field(default=())

    @model_validator(mode="before")
    @classmethod
    def _read(cls, body: Any) -> Any:
        """Read a notification as S3 writes it."""
        common = {"tenant_id": "", "correlation_id": new_ulid()}
        if isinstance(body, dict) and body.get("Event") == _TEST:
            return common
        try:
            arrived = [_arrived(record) for record in body["Records"]]
        except (KeyError, TypeError, AttributeError):
            raise ValueError("not a notification of the bucket") from None
        return {**common, "tenant_id": arrived[0]["tenant_id"] if arrived else "", "arrived": arrived}


def _arrived(record: Any) -> dict[str, Any]:
    found = keys.arrived_original(unquote_plus(record["s3"]["object"]["key"]))
    if found is None:
        raise ValueError("the key is not that of an uploaded file")
    return dict(zip(("tenant_id", "document_id", "version"), found, strict=True))


async def work(message: Arrival, deadline: Deadline) -> None:
    """Take in each file for its own tenant; one that fails keeps none of the others waiting."""
    del deadline
    failures: list[Exception] = []
    for each in message.arrived:
        with working_for(each.tenant_id):
            try:
                await Arrivals(dependencies(), each.tenant_id).take_in(each.document_id, each.version)
            except Exception as error:  # noqa: BLE001 - raised below
                failures.append(error)
    if failures:
        raise next((error for error in failures if not isinstance(error, TerminalError)), failures[0])


async def give_up(message: Arrival, code: str, cause: str) -> None:
    """Tell whoever waits for a document that its file could not be taken in.

    What an unexpected error says of itself is for the log, not for people.
    """
    why = _INTERNAL if code == "attempts_exhausted" else cause
    told = Cause(code=code, message=f"The file could not be taken in: {why}", way_out="Upload it again.")
    for each in message.arrived:
        with working_for(each.tenant_id):
            await Arrivals(dependencies(), each.tenant_id).refuse(each.document_id, each.version, told)


@cache
def worker() -> Worker[Arrival]:
    queues = ArrivalsQueueSettings.load()
    return Worker(
        name="arrivals",
        queue_url=queues.arrivals_queue_url,
        dead_letter_queue_url=queues.arrivals_dead_letter_queue_url,
        parser=TypeAdapter(Arrival),
        handle=work,
        give_up=give_up,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
