"""Generated sequences of calls through the gateway, with every check of schemathesis on."""

import importlib
import warnings
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig

from infra import openapi
from tests.integration.gateway import Gateway
from tests.integration.harness import Context, Stack

# What one field's value means for another's, or a query's grammar, is no matter of JSON Schema.
ACCEPTED = {"expected-statuses": ["2xx", 400, 401, 403, 404, 409, 422, 429]}
# An address or a body that is too long is refused before it is looked at.
REFUSED = {"expected-statuses": [400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431, "5xx"]}


def new_key() -> str:
    command = {"action": "create_tenant", "name": "Acme"}
    created: dict[str, str] = importlib.import_module("identity.admin").handler(command, Context())
    return created["api_key"]


def test_sequences_of_generated_calls_are_answered_as_described(stack: Stack) -> None:
    gateway = Gateway()
    document = openapi.merge(openapi.slice_documents())
    config = SchemathesisConfig.from_dict(
        {"checks": {"positive_data_acceptance": ACCEPTED, "negative_data_rejection": REFUSED}}
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = gateway
    used = {"key": ""}

    @schema.auth(refresh_interval=None)
    class OfTheSequence:
        def get(self, case: Any, context: Any) -> str:
            return used["key"]

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers["Authorization"] = f"Bearer {data}"

    class Workflow(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            # A tenant for each sequence: what one made is no state of the next.
            used["key"] = new_key()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Workflow.run(
            settings=settings(
                max_examples=40,
                stateful_step_count=20,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
        )
    assert len({name for name, status in gateway.called if status < 300}) > 20
