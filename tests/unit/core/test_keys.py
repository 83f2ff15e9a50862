"""Every key is spelled as its docstring says, and no tenant's keys can be taken for another's."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.aws import keys
from almanac.ids import new_id

BUILDERS = [
    function
    for _, function in inspect.getmembers(keys, inspect.isfunction)
    if function.__module__.startswith(keys.__name__)
    and function not in {keys.tenant_of, keys.arrived_original, keys.document_of}
]
# A person's partition is the person's: it names the tenants that the person belongs to in the sort key.
PER_TENANT = [
    function
    for function in BUILDERS
    if "tenant_id" in inspect.signature(function).parameters and not function.__name__.startswith("person")
]
HASH = "9f86d0..."
ULID = "01k9zq3v7m8x2c4b6n0d1f5g7h"
ARGUMENTS: dict[str, Any] = {
    "tenant_id": "ten_1",
    "project_id": "prj_1",
    "repository_id": "rep_1",
    "checkpoint_id": "chk_1",
    "message_id": "msg_1",
    "finding_id": "fnd_1",
    "source_id": "message:msg_1",
    "provider": "openai",
    "document_id": "doc_1",
    "collection_id": "col_1",
    "revision": 3,
    "part": 7,
    "piece": 7,
    "topic_name": "document:doc_1",
    "resource_id": "doc_1",
    "connection_id": "L0SM9cOFvHcCIhw=",
    "sequence": 7,
    "conversation_id": "cnv_1",
    "person_id": "usr_1",
    "erasure_id": "ers_1",
    "export_id": "exp_1",
    "import_id": "imp_1",
    "actor_id": "usr_1",
    "service_account_id": "svc_1",
    "invitation_id": "inv_1",
    "inviting_tenant_id": "ten_1",
    "session_id": "01k9zq3v7m8x2c4b6n0d1f5g7h",
    "turn": 7,
    "seq": 7,
    "owner_id": "prj_1",
    "delivery_id": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "scope": "messages",
    "index_id": "local-bge-small-en-v1.5",
    "name": "msg_1",
    "moment": "2026-01-31T12:00:00.000Z",
    "commit": "9fceb02d...",
    "model_slug": "local-bge-small-en-v1.5",
    "day": "2026-01-31",
    "shard": 0,
    "run": 7,
    "batch": 3,
    "version": 1,
    "ulid": ULID,
    "attempt": ULID,
}
HASHES = {
    "ticket_sha256",
    "token_sha256",
    "caller_sha256",
    "address_sha256",
    "content_sha256",
    "key_sha256",
    "text_sha256",
    "sha256",
    "digest",
    "remote",
}


def build(function: Callable[..., keys.Key | str], **given_arguments: Any) -> list[str]:
    names = inspect.signature(function).parameters
    known = {**ARGUMENTS, **dict.fromkeys(HASHES, HASH), **given_arguments}
    missing = names.keys() - known.keys()
    assert not missing, f"{function.__name__}: give the test a value for {missing}"
    built = function(**{name: known[name] for name in names})
    return list(built) if isinstance(built, tuple) else [built]


@pytest.mark.parametrize("function", BUILDERS, ids=lambda function: function.__name__)
def test_a_key_is_the_one_in_its_docstring(function: Callable[..., keys.Key | str]) -> None:
    example = (inspect.getdoc(function) or "").rpartition("Example: ")[2]
    assert build(function) == re.findall(r"`([^`]+)`", example)


@pytest.mark.parametrize("function", PER_TENANT, ids=lambda function: function.__name__)
def test_the_tenant_is_the_first_segment_and_closed(function: Callable[..., keys.Key | str]) -> None:
    first = build(function)[0]
    assert first == "TENANT#ten_1" or first.startswith(("TENANT#ten_1#", "tenants/ten_1/"))


@pytest.mark.parametrize("version", [1, 999_999, 1_000_000])
def test_an_uploaded_file_is_known_by_its_key(version: int) -> None:
    tenant, document = new_id("ten"), new_id("doc")
    assert keys.arrived_original(keys.document_original(tenant, document, version)) == (tenant, document, version)


@pytest.mark.parametrize(
    "key",
    [
        "tenants/ten_1/documents/doc_1/versions/000001/originals",
        "x/tenants/ten_1/documents/doc_1/versions/000001/original",
        "tenants/ten_1/documents/doc_1/../doc_2/versions/000001/original",
        "tenants/ten_1/documents/doc_1/versions/1/original",
        "tenants/ten_1/exports/exp_1/original",
        "tenants//documents/doc_1/versions/000001/original",
    ],
)
def test_no_other_key_is_taken_for_an_uploaded_file(key: str) -> None:
    assert keys.arrived_original(key) is None


@given(tenants=st.lists(st.builds(lambda: new_id("ten")), min_size=2, max_size=2, unique=True))
def test_no_tenants_key_begins_with_the_whole_of_anothers(tenants: list[str]) -> None:
    one, other = tenants
    for function in PER_TENANT:
        mine, theirs = build(function, tenant_id=one)[0], build(function, tenant_id=other)[0]
        assert not mine.startswith(theirs)


def test_the_tenant_of_a_partition_is_read_back() -> None:
    tenant = new_id("ten")
    for function in PER_TENANT:
        first = build(function, tenant_id=tenant)[0]
        if first.startswith("TENANT#"):
            assert keys.tenant_of(first) == tenant
