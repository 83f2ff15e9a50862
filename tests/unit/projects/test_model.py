"""Records survive the way into an item and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.aws.table import dynamo, plain
from projects.model import (
    Attempt,
    Checkpoint,
    Hook,
    Indexed,
    IndexedState,
    Message,
    Project,
    RepositoryRecord,
    SyncCounts,
    SyncError,
    SyncRun,
    remote_key,
)

AT = "2026-01-31T12:00:00.000Z"
TIMES = {"created_at": AT, "updated_at": AT}
RECORDS = [
    Project(id="prj_1", name="x", **TIMES),
    Checkpoint(id="chk_1", project_id="prj_1", name="x", metadata={"a": ""}, **TIMES),
    RepositoryRecord(id="rep_1", project_id="prj_1", name="a/b", url="https://h/a/b", remote="r", **TIMES),
    RepositoryRecord(
        id="rep_1",
        project_id="prj_1",
        name="a/b",
        url="https://h/a/b",
        remote="r",
        token_cipher=b"\x00\xff",
        attempted=[Attempt(run=1, heads={"main": "a"})],
        counts=SyncCounts(files=1, skipped={"binary": 2}),
        last_error=SyncError(code="c", message="m", at=AT),
        next_check_at=AT,
        **TIMES,
    ),
    Message(
        id="msg_1",
        project_id="prj_1",
        checkpoint_id="chk_1",
        content_sha256="s",
        content_bytes=1,
        batch_key="k",
        occurred_at=AT,
        indexed=Indexed(state=IndexedState.FAILED, at=AT, code="c", cause="x"),
        **TIMES,
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_is_read_back_as_it_was_written(
    record: Project | Checkpoint | RepositoryRecord | Message,
) -> None:
    assert type(record).from_item(plain(dynamo(record.to_item("ten_1")))) == record


def test_a_hook_and_a_run_are_read_back_as_they_were_written() -> None:
    hook = Hook(repository_id="rep_1", project_id="prj_1", secrets_cipher=[b"1", b"2"], rotated_until=7)
    assert Hook.from_item(plain(dynamo(hook.to_item("ten_1")))) == hook
    run = SyncRun(run=1, heads={"main": "a"}, cursor="7", started_at=AT)
    assert SyncRun.from_item(plain(dynamo(run.to_item("ten_1", "rep_1")))) == run


def test_only_a_repository_with_a_next_check_is_due() -> None:
    first, second = (record.to_item("ten_1") for record in RECORDS if isinstance(record, RepositoryRecord))
    assert "gsi2sk" not in first
    assert second["gsi2sk"] == AT


Part = st.one_of(st.none(), st.text(min_size=1, max_size=5))


@given(st.tuples(st.text(max_size=5), Part, Part), st.tuples(st.text(max_size=5), Part, Part))
def test_remotes_are_told_apart_by_address_and_selection(
    one: tuple[str, str | None, str | None], two: tuple[str, str | None, str | None]
) -> None:
    def plain_parts(parts: tuple[str, str | None, str | None]) -> str:
        return "\0".join((parts[0].removesuffix(".git"), parts[1] or "", parts[2] or ""))

    assert (remote_key(*one) == remote_key(*two)) is (plain_parts(one) == plain_parts(two))


def test_a_final_git_tells_nothing_of_a_remote() -> None:
    assert remote_key("https://h/a.git", None, None) == remote_key("https://h/a", None, None)
    assert remote_key("https://h/a", "main", None) != remote_key("https://h/a", None, "main")
