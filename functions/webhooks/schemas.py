"""What the webhook routes answer."""

from pydantic import BaseModel, ConfigDict, Field

from webhooks.service import Status


class Receipt(BaseModel):
    """`queued` also for a delivery that was queued before; `ignored` when the event does not concern us."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "queued"}]})

    status: Status = Field(examples=["queued"])
