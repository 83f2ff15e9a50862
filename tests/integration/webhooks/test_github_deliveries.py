"""GitHub's deliveries: what each event causes, and what is refused."""

import time
from urllib.parse import urlencode

import pytest

from almanac.ids import new_id
from tests.integration.harness import Context, Stack, request_event
from tests.integration.webhooks.hooks import PUSH, Connected, connected, sign
from webhooks.app import handler

RENAMED = {"action": "renamed", "repository": {"clone_url": "https://github.com/acme/new.git"}}


def test_a_signed_push_queues_one_sync(stack: Stack) -> None:
    host = connected(stack)
    answer = host.github()
    assert (answer.status, answer.json) == (202, {"status": "queued"})
    (message,) = host.queued()
    assert message["kind"] == "repository.sync"
    assert message["repository_id"] == host.repository
    assert message["reason"] == "push"
    assert message["correlation_id"] == answer.headers["x-correlation-id"]


def test_githubs_documented_signature_is_accepted(stack: Stack) -> None:
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    host = connected(stack, "It's a Secret to Everybody")
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": signature, "x-github-event": "star"}
    assert host.post("github", b"Hello, World!", headers).status == 202
    assert host.post("github", b"Hello, World?", headers).status == 403


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("ping", {"zen": "Keep it logically awesome.", "hook_id": 1}),
        ("push", {**PUSH, "deleted": True}),
        ("create", {"ref": "topic", "ref_type": "branch"}),
        ("delete", {"ref": "topic", "ref_type": "branch"}),
    ],
)
def test_events_that_move_branches_queue_a_sync(stack: Stack, event: str, payload: object) -> None:
    host = connected(stack)
    assert host.github(payload, event=event).json == {"status": "queued"}
    assert [message["kind"] for message in host.queued()] == ["repository.sync"]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("push", {"ref": "refs/tags/v1"}),
        ("create", {"ref": "v1", "ref_type": "tag"}),
        ("delete", {"ref": "v1", "ref_type": "tag"}),
        ("repository", {"action": "archived"}),
        ("star", {"action": "created"}),
    ],
)
def test_other_events_are_acknowledged_and_ignored(stack: Stack, event: str, payload: object) -> None:
    host = connected(stack)
    answer = host.github(payload, event=event)
    assert (answer.status, answer.json) == (202, {"status": "ignored"})
    assert host.queued() == []


def test_a_rename_carries_the_new_address_and_a_deletion_none(stack: Stack) -> None:
    host = connected(stack)
    assert host.github(RENAMED, event="repository").status == 202
    assert host.github({"action": "deleted"}, event="repository").status == 202
    kinds = [(message["kind"], message["url"]) for message in host.queued()]
    assert kinds == [("repository.changed", "https://github.com/acme/new.git"), ("repository.changed", None)]


def test_a_replayed_delivery_is_acknowledged_without_a_second_effect(stack: Stack) -> None:
    host = connected(stack)
    answers = [host.github(delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958") for _ in range(3)]
    assert [(answer.status, answer.json["status"]) for answer in answers] == [(202, "queued")] * 3
    assert len(host.queued()) == 1


def test_a_replayed_rename_has_no_effect_even_under_a_new_delivery_id(stack: Stack) -> None:
    host = connected(stack)
    for delivery in ("one", "two"):
        assert host.github(RENAMED, event="repository", delivery=delivery).status == 202
    assert len(host.queued()) == 1


def test_one_delivery_id_at_two_repositories_is_two_deliveries(stack: Stack) -> None:
    first, second = connected(stack), connected(stack)
    for host in (first, second):
        host.github(delivery="same")
        assert len(host.queued()) == 1


def test_a_delivery_without_an_id_is_recognised_by_its_content(stack: Stack) -> None:
    host = connected(stack)
    for _ in range(2):
        assert host.github(x_github_delivery="").status == 202
    assert len(host.queued()) == 1


def test_a_body_that_arrives_as_text_is_verified_as_the_bytes_it_was(stack: Stack) -> None:
    host = connected(stack)
    text = '{"ref": "refs/heads/main", "head_commit": {"message": "naïve 日本 \U0001f989"}}'
    headers = {"x-hub-signature-256": sign(host.secret, text.encode()), "x-github-event": "push"}
    event = request_event("POST", f"/api/v1/webhooks/github/{host.tenant}/{host.repository}", headers=headers)
    answer = handler({**event, "body": text, "isBase64Encoded": False}, Context())
    assert answer["statusCode"] == 202


def test_a_form_encoded_payload_is_read(stack: Stack) -> None:
    host = connected(stack)
    body = urlencode({"payload": '{"ref": "refs/heads/main", "head": "ünï+&=%"}'}).encode()
    answer = host.github(body, content_type="application/x-www-form-urlencoded; charset=utf-8")
    assert answer.json == {"status": "queued"}


@pytest.mark.parametrize("form", [b"", b"payload=1&payload=2", b"other=1", b"payload=%7B", b"\xff\xfe", b"payload=%FF"])
def test_a_form_without_one_readable_payload_is_a_bad_request(stack: Stack, form: bytes) -> None:
    host = connected(stack)
    answer = host.github(form, content_type="application/x-www-form-urlencoded")
    assert answer.status == 400
    assert answer.json["errors"][0]["field"].startswith("body")


@pytest.mark.parametrize(
    ("event", "body", "field"),
    [
        ("push", b"", "body"),
        ("push", b'{"ref": "refs/heads/ma', "body"),
        ("push", b"\xff\xfe", "body"),
        ("push", b"[]", "body"),
        ("push", b"{}", "body.ref"),
        ("push", b'{"ref": 7}', "body.ref"),
        ("push", b"[" * 32, "body"),
        ("create", b'{"ref_type": "planet"}', "body.ref_type"),
        ("repository", b'{"action": "renamed"}', "body.repository"),
        ("repository", b'{"action": "renamed", "repository": {"clone_url": "ssh://x"}}', "body.repository.clone_url"),
    ],
)
def test_a_proven_body_that_breaks_its_events_form_is_a_bad_request(
    stack: Stack, event: str, body: bytes, field: str
) -> None:
    host = connected(stack)
    answer = host.github(body, event=event)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json["code"], answer.json["errors"][0]["field"]) == ("invalid_payload", field)
    assert host.queued() == []


def test_a_missing_event_header_is_a_bad_request(stack: Stack) -> None:
    answer = connected(stack).github(event=None)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "header.x-github-event")


def test_an_unknown_tenant_or_repository_answers_exactly_like_a_bad_signature(stack: Stack) -> None:
    host = connected(stack)
    wrong = host.github(secret="wrong")
    strangers = [
        Connected(stack, new_id("ten"), host.secret, host.repository),
        Connected(stack, host.tenant, host.secret, new_id("rep")),
        Connected(stack, stack.tenant(), host.secret, host.repository),
        Connected(stack, "ten_x", host.secret, "rep_" + "y" * 3000),
        Connected(stack, "%00", host.secret, "%F0%9F"),
    ]
    assert wrong.status == 403
    for stranger in strangers:
        answer = stranger.github()
        varying = {"correlation_id": "", "instance": ""}
        assert answer.status == 403
        assert {**answer.json, **varying} == {**wrong.json, **varying}
    assert stack.outbox() == []


def test_a_repository_that_is_being_deleted_takes_no_deliveries(stack: Stack) -> None:
    host = connected(stack)
    host.save(state="deleting")
    assert host.github().status == 403


def test_both_secrets_are_valid_during_a_rotation_and_the_old_one_ends_with_it(stack: Stack) -> None:
    host = connected(stack)
    host.secret = "the new one"
    host.save("the old one", rotated_until=time.time() + 3600)
    assert host.github(secret="the new one").status == 202
    assert host.github(secret="the old one").status == 202
    host.save("the old one", rotated_until=time.time() - 1)
    assert host.github(secret="the new one").status == 202
    assert host.github(secret="the old one").status == 403


def test_a_body_over_the_limit_is_refused_before_anything_is_read(stack: Stack) -> None:
    host = connected(stack)
    answer = host.github(b'{"x": "' + b"x" * 6 * 1024 * 1024 + b'"}')
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
