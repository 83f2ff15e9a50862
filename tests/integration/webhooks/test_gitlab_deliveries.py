"""GitLab's deliveries: a token proves the sender, and nothing of the body is trusted."""

import time

import pytest

from tests.integration.harness import Stack
from tests.integration.webhooks.hooks import Connected, connected


def test_a_push_with_the_right_token_queues_one_sync(stack: Stack) -> None:
    host = connected(stack)
    answer = host.gitlab()
    assert (answer.status, answer.json) == (202, {"status": "queued"})
    assert [message["kind"] for message in host.queued()] == ["repository.sync"]


@pytest.mark.parametrize("event", ["Tag Push Hook", "Merge Request Hook", "System Hook"])
def test_other_events_are_acknowledged_and_ignored(stack: Stack, event: str) -> None:
    host = connected(stack)
    assert host.gitlab(event=event).json == {"status": "ignored"}
    assert host.queued() == []


def test_a_wrong_or_missing_token_is_refused(stack: Stack) -> None:
    host = connected(stack)
    for token in ("wrong", host.secret[:-1], host.secret + " x", host.secret.upper(), "é"):
        assert host.gitlab(token=token).status == 403
    answer = host.post("gitlab", b"{}", {"x-gitlab-event": "Push Hook"})
    assert (answer.status, answer.json["code"]) == (403, "invalid_signature")
    assert host.queued() == []


def test_a_signed_github_delivery_proves_nothing_to_gitlabs_address(stack: Stack) -> None:
    host = connected(stack)
    assert host.gitlab(x_gitlab_token="", x_hub_signature_256="sha256=00").status == 403


def test_both_tokens_are_valid_during_a_rotation(stack: Stack) -> None:
    host = Connected(stack, stack.tenant(), "the new one")
    host.save("the old one", rotated_until=time.time() + 3600)
    assert host.gitlab(token="the old one").status == 202
    assert host.gitlab(token="the new one", idempotency_key="2").status == 202


@pytest.mark.parametrize("header", ["idempotency_key", "x_gitlab_event_uuid"])
def test_a_replayed_delivery_is_acknowledged_without_a_second_effect(stack: Stack, header: str) -> None:
    host = connected(stack)
    for _ in range(3):
        assert host.gitlab(**{header: "13792a34-cac6-4fda-95a8-c58e00a3954e"}).json == {"status": "queued"}
    assert len(host.queued()) == 1


def test_hooks_that_share_an_events_uuid_are_told_apart_by_their_content(stack: Stack) -> None:
    host = connected(stack)
    for branch in ("one", "two"):
        host.gitlab({"ref": f"refs/heads/{branch}"}, x_gitlab_event_uuid="13792a34-cac6-4fda-95a8-c58e00a3954e")
    assert len(host.queued()) == 2


def test_a_truncated_body_is_a_bad_request_and_a_missing_event_too(stack: Stack) -> None:
    host = connected(stack)
    truncated = host.gitlab(b'{"ref": "refs/heads/ma')
    assert (truncated.status, truncated.json["errors"][0]["field"]) == (400, "body")
    nameless = host.gitlab(event=None)
    assert (nameless.status, nameless.json["errors"][0]["field"]) == (400, "header.x-gitlab-event")
    assert host.queued() == []
