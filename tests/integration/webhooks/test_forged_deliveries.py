"""Whatever is done to a delivery on its way, it is not accepted; however often it comes, it counts once."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.harness import Stack
from tests.integration.webhooks.hooks import PUSH, Connected, connected, sign

_on_one_stack = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_header_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=80)
_bodies = st.binary(min_size=1, max_size=200)


@pytest.fixture
def host(stack: Stack) -> Iterator[Connected]:
    repository = connected(stack)
    yield repository
    if repository.queued():
        raise AssertionError("a forged delivery had an effect")


def _post(host: Connected, body: bytes, signature: str) -> Any:
    return host.post("github", body, {"x-hub-signature-256": signature, "x-github-event": "push"})


@_on_one_stack
@given(body=_bodies, data=st.data())
def test_no_bit_flipped_body_is_accepted(host: Connected, body: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    flipped = bytearray(body)
    flipped[bit // 8] ^= 1 << bit % 8
    assert _post(host, bytes(flipped), sign(host.secret, body)).status == 403


@_on_one_stack
@given(body=_bodies, data=st.data())
def test_no_truncated_or_extended_body_is_accepted(host: Connected, body: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body) - 1))
    assert _post(host, body[:cut], sign(host.secret, body)).status == 403
    assert _post(host, body + data.draw(_bodies), sign(host.secret, body)).status == 403


@_on_one_stack
@given(body=_bodies, data=st.data())
def test_no_altered_signature_is_accepted(host: Connected, body: bytes, data: st.DataObject) -> None:
    right = sign(host.secret, body)
    position = data.draw(st.integers(0, len(right) - 1))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=right[position]))
    # API Gateway drops white space around a header's value.
    altered = (right[:position] + other + right[position + 1 :]).strip()
    assert _post(host, body, altered).status == 403
    assert _post(host, body, right[:position]).status == 403


@_on_one_stack
@given(body=_bodies, signature=_header_text)
def test_no_invented_signature_is_accepted(host: Connected, body: bytes, signature: str) -> None:
    assert _post(host, body, signature).status == 403
    assert _post(host, body, "sha1=" + sign(host.secret, body).removeprefix("sha256=")).status == 403


@_on_one_stack
@given(secret=st.text(st.characters(codec="utf-8"), max_size=40), body=_bodies)
def test_no_other_secret_signs_for_this_repository(host: Connected, secret: str, body: bytes) -> None:
    if secret != host.secret:
        assert _post(host, body, sign(secret, body)).status == 403


@_on_one_stack
@given(token=_header_text)
def test_no_invented_token_is_accepted(host: Connected, token: str) -> None:
    if token != host.secret:
        answer = host.post(
            "gitlab", b'{"ref": "refs/heads/x"}', {"x-gitlab-token": token, "x-gitlab-event": "Push Hook"}
        )
        assert answer.status == 403


@settings(_on_one_stack, max_examples=15)
@given(deliveries=st.lists(st.sampled_from(["a", "b", "c", "x" * 65, "#../ü", "d e"]), max_size=6))
def test_replays_in_any_order_cause_one_message_for_each_delivery(stack: Stack, deliveries: list[str]) -> None:
    host = connected(stack)
    for delivery in deliveries:
        answer = host.github({**PUSH, "delivery": delivery}, delivery=delivery)
        assert (answer.status, answer.json) == (202, {"status": "queued"})
    assert len(host.queued()) == len(set(deliveries))
