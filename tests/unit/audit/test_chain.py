"""Whatever is done to a log afterwards is found, and said to be where it is."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.audit.chain import BEFORE_FIRST, Fault, Line, Link, canonical, check, entry_hash, source_hash

TENANT = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h"


def log(length: int, tenant_id: str = TENANT) -> list[Line]:
    """Return a whole log."""
    lines: list[Line] = []
    prev = BEFORE_FIRST
    for seq in range(1, length + 1):
        source = {"salt": f"{seq:032x}", "ip": f"192.0.2.{seq}", "user_agent": "test"}
        line: Line = {
            "v": 1,
            "tenant_id": tenant_id,
            "seq": seq,
            "prev": prev,
            "id": f"{seq:026d}",
            "at": f"2026-01-31T12:00:00.{seq:03d}Z",
            "sealed_at": "2026-01-31T12:00:01.000Z",
            "actor": {"id": "usr_1", "role": "owner"},
            "action": "update_member",
            "method": "PATCH",
            "resource": {"person_id": "usr_2"},
            "facts": {"role": "admin"},
            "correlation_id": "c",
            "result": "succeeded",
            "status": 200,
            "source_sha256": source_hash(source),
            "source": source,
        }
        prev = line["hash"] = entry_hash(line)
        lines.append(line)
    return lines


def test_a_log_as_it_was_written_is_whole() -> None:
    lines = log(5)
    checked = check(lines, TENANT)
    assert (checked.last, checked.broken, checked.erased) == (Link(5, lines[-1]["hash"]), None, 0)


def test_a_log_can_be_checked_in_parts() -> None:
    lines = log(5)
    assert check(lines[2:], TENANT, after=Link(2, lines[1]["hash"])).last == Link(5, lines[4]["hash"])
    assert check(lines[2:], TENANT, after=Link(2, "f" * 64)).broken is not None


def test_a_source_that_was_erased_breaks_nothing() -> None:
    lines = [{name: value for name, value in line.items() if name != "source"} for line in log(3)]
    checked = check(lines, TENANT)
    assert (checked.broken, checked.erased) == (None, 3)


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [leaf for name, member in value.items() for leaf in leaves(member, (*path, name))]
    return [path]


@pytest.mark.parametrize("path", leaves(log(1)[0]), ids=".".join)
@pytest.mark.parametrize("kind", ["changed", "removed", "added beside", "of another type"])
def test_a_change_of_any_member_is_found(path: tuple[str, ...], kind: str) -> None:
    lines = log(3)
    *parents, name = path
    holder = lines[1]
    for parent in parents:
        holder = holder[parent]
    if kind == "removed":
        del holder[name]
    elif kind == "added beside":
        holder["x"] = "y"
    elif kind == "of another type":
        holder[name] = [holder[name]]
    else:
        holder[name] = holder[name] + 1 if isinstance(holder[name], int) else f"{holder[name]}x"
    broken = check(lines, TENANT).broken
    assert broken is not None
    assert broken.seq == 2


def resealed(line: Line, **changes: Any) -> Line:
    """Return a changed entry with the hash that fits it."""
    changed = {**line, **changes}
    return {**changed, "hash": entry_hash(changed)}


def cut(lines: list[Line]) -> list[Line]:
    return [*lines[:2], *lines[3:]]


def swapped(lines: list[Line]) -> list[Line]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def repeated(lines: list[Line]) -> list[Line]:
    return [*lines[:2], lines[1], *lines[2:]]


def rewritten(lines: list[Line]) -> list[Line]:
    return [*lines[:2], resealed(lines[2], action="get_project"), *lines[3:]]


def inserted(lines: list[Line]) -> list[Line]:
    return [*lines[:2], resealed(lines[2], prev=lines[1]["hash"], id="x"), *lines[2:]]


def renumbered(lines: list[Line]) -> list[Line]:
    return [*lines[:2], resealed(lines[3], seq=3), *lines[4:]]


def of_another_tenant(lines: list[Line]) -> list[Line]:
    return [*lines[:2], *log(5, "ten_other")[2:]]


@pytest.mark.parametrize(
    ("tamper", "seq", "fault"),
    [
        (cut, 3, Fault.MISSING),
        (swapped, 2, Fault.MISSING),
        (repeated, 3, Fault.REORDERED),
        (rewritten, 4, Fault.UNLINKED),
        (inserted, 4, Fault.REORDERED),
        (renumbered, 3, Fault.UNLINKED),
        (of_another_tenant, 3, Fault.FOREIGN),
    ],
)
def test_what_is_done_to_the_order_is_found(tamper: Callable[[list[Line]], list[Line]], seq: int, fault: Fault) -> None:
    broken = check(tamper(log(5)), TENANT).broken
    assert broken is not None
    assert (broken.seq, broken.fault) == (seq, fault)


def test_an_exchanged_source_is_found() -> None:
    lines = log(3)
    lines[1]["source"], lines[2]["source"] = lines[2]["source"], lines[1]["source"]
    broken = check(lines, TENANT).broken
    assert broken is not None
    assert (broken.seq, broken.fault) == (2, Fault.SOURCE_CHANGED)


VALUES = st.recursive(
    st.text() | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
)


@given(VALUES)
def test_the_canonical_form_says_the_same_and_has_one_spelling(value: Any) -> None:
    try:
        text = canonical(value)
    except UnicodeEncodeError:
        # A lone surrogate has no spelling in UTF-8.
        return
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    # Its section 3.2.2.2 tells how texts are written, 3.2.3 that members are sorted.
    value = {"b": '\u20ac$\u000f\nA\'B"\\\\"/\u007f', "a": 56, "B": {"1": "x"}}
    assert canonical(value) == '{"B":{"1":"x"},"a":56,"b":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f"}'.encode()


@pytest.mark.parametrize("value", [None, True, 1.5, [1], b"x", 2**53, {"\u00e9": "x"}, {1: "x"}])
def test_what_no_entry_holds_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical({"x": value})


def test_the_hash_is_computed_as_the_documentation_says() -> None:
    line = log(1)[0]
    hashed = {name: value for name, value in line.items() if name not in {"hash", "source"}}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert sha256(text.encode()).hexdigest() == line["hash"]
