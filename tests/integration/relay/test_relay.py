"""The outbox reaches its queues."""

import json

import pytest

from almanac import runtime
from almanac.aws import keys, outbox
from almanac.aws.table import Table
from almanac.events import DeleteProject, SyncRepository
from projects import reconciler
from tests.integration.harness import Context, Stack


def _send(*events: SyncRepository | DeleteProject) -> None:
    table = Table("almanac", runtime.clients())
    runtime.run(table.transact([outbox.message(event) for event in events]))


def _bodies(stack: Stack, queue: str) -> list[dict[str, object]]:
    url = stack.environment[f"ALMANAC_{queue}_QUEUE_URL"]
    answer = stack.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def test_each_message_reaches_the_queue_of_its_kind_and_leaves_the_outbox(stack: Stack) -> None:
    tenant = stack.tenant()
    sync = SyncRepository(tenant_id=tenant, correlation_id="c" * 26, repository_id="rep_1", reason="push")
    delete = DeleteProject(tenant_id=tenant, correlation_id="c" * 26, project_id="prj_1")
    _send(sync, delete)

    stack.relay()

    assert _bodies(stack, "SYNC") == [sync.model_dump()]
    assert _bodies(stack, "PROJECTS") == [delete.model_dump()]
    assert stack.outbox() == []


def test_a_relay_that_dies_after_sending_repeats_the_message_and_loses_none(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = stack.tenant()
    _send(SyncRepository(tenant_id=tenant, correlation_id="c" * 26, repository_id="rep_1", reason="push"))

    async def die(self: Table, keys_: list[keys.Key]) -> None:
        raise ConnectionError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Table, "batch_delete", die)
        with pytest.raises(ConnectionError):
            stack.relay()
    stack.relay()

    assert len(_bodies(stack, "SYNC")) == 2
    assert stack.outbox() == []


def test_twenty_five_messages_of_one_transaction_all_arrive(stack: Stack) -> None:
    tenant = stack.tenant()
    _send(
        *(
            SyncRepository(tenant_id=tenant, correlation_id="c" * 26, repository_id=f"rep_{n}", reason="push")
            for n in range(25)
        )
    )

    stack.relay()

    seen: set[object] = set()
    while bodies := _bodies(stack, "SYNC"):
        seen |= {body["repository_id"] for body in bodies}
    assert len(seen) == 25


def test_messages_of_several_tenants_in_one_batch_leave_the_outbox_each_under_its_tenants_session(
    stack: Stack, refused: list[str]
) -> None:
    tenants = [stack.tenant() for _ in range(12)]
    for tenant in tenants:
        _send(
            *(
                SyncRepository(tenant_id=tenant, correlation_id="c" * 26, repository_id=f"rep_{n}", reason="push")
                for n in range(2)
            )
        )

    assert stack.relay() == 24

    assert stack.outbox() == []
    # Whoever removed another tenant's message with them would have been refused.
    assert refused == []


def test_the_reconciler_sends_what_stayed_of_each_tenant_under_that_tenants_session(
    stack: Stack, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "OUTBOX_AGE_SECONDS", -60)
    for tenant in (stack.tenant(), stack.tenant()):
        _send(SyncRepository(tenant_id=tenant, correlation_id="c" * 26, repository_id="rep_1", reason="push"))

    assert reconciler.handler({}, Context())["messages"] == 2

    assert stack.outbox() == []
    assert refused == []
