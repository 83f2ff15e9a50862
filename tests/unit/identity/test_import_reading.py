"""An archive that nobody vouches for: what is not in its place, or not as the manifest says, is refused by name."""

import base64
import gzip
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.aws import keys
from almanac.ids import new_id
from identity.exports.archive import object_line, pack, row_line
from identity.exports.model import Part
from identity.imports.errors import BadArchive
from identity.imports.reading import Object, Piece, Row, read

ULID = "01k9zq3v7m8x2c4b6n0d1f5g7h"
OLD, NEW = f"ten_{ULID}", new_id("ten")
PROJECT = {"pk": f"TENANT#{OLD}#PROJECT#prj_{ULID}", "sk": "ITEM", "entity": "project", "name": "Roadmap"}


def part_of(*lines: str) -> tuple[Part, bytes]:
    return pack(list(lines), 1)


def held(*lines: str) -> list[Row | Object | Piece]:
    part, body = part_of(*lines)
    return list(read(part, body, NEW))


def line(pk: str, /, sk: str = "ITEM", entity: str = "project", row: Any = None, **attributes: Any) -> str:
    document = {"row": {"pk": pk, "sk": sk, **(row or {})}, "attributes": {"entity": entity, **attributes}}
    return json.dumps(document) + "\n"


def in_tenant(rest: str) -> str:
    return f"TENANT#{{tenant}}#{rest}"


def test_a_row_and_an_object_arrive_in_the_new_tenant_as_they_left_the_old_one() -> None:
    key = f"tenants/{OLD}/messages/msg_{ULID}/000001-{ULID}.json.gz"
    message = {
        "pk": f"TENANT#{OLD}#MESSAGE#msg_{ULID}",
        "sk": "ITEM",
        "gsi1pk": f"TENANT#{OLD}#CHECKPOINT#chk_{ULID}#MESSAGES",
        "gsi1sk": f"msg_{ULID}",
        "entity": "message",
        "batch_key": key,
        "content": f"we speak of {OLD} and of tenants/ in general",
        "tags": {"b", "a"},
        "version": 3,
        "token_cipher": b"secret",
    }
    row, found = held(row_line(message, OLD), object_line(key, gzip.compress(b"text", mtime=0), OLD))
    assert isinstance(row, Row)
    kept = {name: value for name, value in message.items() if name != "token_cipher"}
    moved = {"pk", "gsi1pk", "batch_key"}
    assert row.item == {n: str(v).replace(OLD, NEW) if n in moved else v for n, v in kept.items()}
    assert found == Object(key.replace(OLD, NEW), gzip.compress(b"text", mtime=0))


@pytest.mark.parametrize(
    "smuggled",
    [
        line(in_tenant(f"MEMBER#usr_{ULID}")),
        line(in_tenant("APIKEY#" + "0" * 64)),
        line(in_tenant("AUDIT"), "000000000001"),
        line("TENANT#{tenant}"),
        line(f"TENANT#{OLD}#PROJECT#prj_{ULID}"),
        line(f"PERSON#usr_{ULID}", f"TENANT#{OLD}"),
        line(in_tenant(f"PROJECT#prj_{ULID}#X")),
        line(in_tenant(f"PROJECT#prj_{ULID}"), f"REMOTE#{'0' * 64}"),
        line(in_tenant(f"PROJECT#prj_{ULID}\n")),
        line(in_tenant(f"PROJECT#prj_{ULID}"), row={"gsi1pk": f"TENANT#{OLD}#PROJECTS", "gsi1sk": "x"}),
        line(in_tenant(f"PROJECT#prj_{ULID}"), row={"gsi1pk": in_tenant("PROJECTS")}),
        line(in_tenant(f"PROJECT#prj_{ULID}"), gsi2pk="DUE#REPOSITORY", row={}),
        line(in_tenant(f"PROJECT#prj_{ULID}"), pk="TENANT#other"),
        line(in_tenant(f"PROJECT#prj_{ULID}"), batch_key=f"tenants/{OLD}/messages/msg_{ULID}/x"),
        line(in_tenant(f"PROJECT#prj_{ULID}"), deep={"x": ["tenants/{tenant}/index/x"]}),
        json.dumps({"object": "tenants/{tenant}/messages/../index/x", "body": ""}) + "\n",
        json.dumps({"object": f"tenants/{OLD}/messages/msg_{ULID}/x", "body": ""}) + "\n",
        json.dumps({"object": f"tenants/{{tenant}}/messages/msg_{ULID}/x", "body": "no base64!"}) + "\n",
        json.dumps({"row": {}, "attributes": {"entity": "project"}, "more": 1}) + "\n",
        "[]\n",
        "{}\n",
        "no json\n",
        "[" * 100_000 + "\n",
    ],
)
def test_what_is_not_in_its_place_is_refused_with_part_and_line(smuggled: str) -> None:
    with pytest.raises(BadArchive, match=r"000001\.jsonl\.gz, line 2: "):
        held(row_line(PROJECT | {"gsi1pk": f"TENANT#{OLD}#PROJECTS", "gsi1sk": "x"}, OLD), smuggled)


def test_rows_that_imports_do_not_take_are_left_out() -> None:
    assert held(line(in_tenant(f"MEMBER#usr_{ULID}"), entity="member", role="owner")) == []


def test_a_part_that_is_not_what_the_manifest_says_is_refused() -> None:
    part, body = part_of(line(in_tenant("x"), entity="member"))
    for named, sent in (
        (part, None),
        (part, b""),
        (part, body[:-1]),
        (part, body + b"x"),
        (part, bytes([body[0] ^ 1]) + body[1:]),
        (Part(1, part.sha256, part.bytes, 2), body),
    ):
        with pytest.raises(BadArchive, match=r"000001\.jsonl\.gz"):
            list(read(named, sent, NEW))


def test_a_bomb_is_refused_before_it_is_read_whole() -> None:
    body = gzip.compress(b" " * (17 << 20) + b"\n")
    part = Part(1, hashlib.sha256(body).hexdigest(), len(body), 1)
    with pytest.raises(BadArchive, match="expands to more"):
        list(read(part, body, NEW))


@given(st.binary(max_size=300))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    part = Part(1, hashlib.sha256(body).hexdigest(), len(body), 1)
    with pytest.raises(BadArchive):
        list(read(part, body, NEW))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=8
    )
)
def test_whatever_an_archive_names_lies_in_the_importing_tenant(value: Any) -> None:
    text = json.dumps({"row": value, "attributes": {"entity": "project", "x": value}}) + "\n"
    try:
        found = held(text, line(in_tenant(f"PROJECT#prj_{ULID}"), row=None, x=value))
    except BadArchive:
        return
    for each in found:
        assert isinstance(each, Row)
        assert keys.tenant_of(each.item["pk"]) == NEW


def test_the_body_of_an_object_is_what_was_exported() -> None:
    key, body = f"tenants/{{tenant}}/messages/msg_{ULID}/x", gzip.compress(b"\x00\xff", mtime=0)
    (found,) = held(json.dumps({"object": key, "body": base64.b64encode(body).decode()}) + "\n")
    assert found == Object(key.replace("{tenant}", NEW), body)


def test_an_object_that_is_not_packed_is_refused() -> None:
    key = f"tenants/{{tenant}}/messages/msg_{ULID}/x"
    with pytest.raises(BadArchive, match="not gzip"):
        held(json.dumps({"object": key, "body": base64.b64encode(b"text").decode()}) + "\n")
