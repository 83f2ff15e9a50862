"""Generated sequences of calls through the gateway, with every check of schemathesis on."""

import importlib
import warnings

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig

from infra import openapi
from tests.integration.gateway import Gateway
from tests.integration.harness import Context, Stack


@pytest.fixture
def key(stack: Stack) -> str:
    command = {"action": "create_tenant", "name": "Acme"}
    created: dict[str, str] = importlib.import_module("identity.admin").handler(command, Context())
    return created["api_key"]


def test_sequences_of_generated_calls_are_answered_as_described(stack: Stack, key: str) -> None:
    gateway = Gateway()
    document = openapi.merge(openapi.slice_documents())
    # What one field's value means for another's, or a query's grammar, is no matter of JSON Schema.
    accepted = {"expected-statuses": ["2xx", 400, 401, 403, 404, 409, 422, 429]}
    config = SchemathesisConfig.from_dict(
        {
            "auth": {"openapi": {"Bearer": {"bearer": key}}},
            "checks": {"positive_data_acceptance": accepted},
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = gateway
    machine = schema.as_state_machine()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        machine.run(
            settings=settings(
                max_examples=60,
                stateful_step_count=20,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
        )
    assert len({name for name, status in gateway.called if status < 300}) > 20
