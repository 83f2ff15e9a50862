"""The search API, through the real handlers on the store."""

import pytest

from almanac.embeddings.testing import HashEmbedder
from almanac.errors import RetryableError
from almanac.events import IndexSources
from almanac.index.manifest import Directory, Head, IndexInfo
from almanac.index.sources import SourceRef
from search import wiring
from search.quality.recall import Recall
from tests.integration.search.world import World, blobs, run

PARSER = '''class Parser:
    """Reads a request."""

    def parseHTTPHeader(self, line):
        name, _, value = line.partition(":")
        return name.strip(), value.strip()
'''


def test_code_is_found_by_the_parts_of_an_identifier_and_cited_by_its_lines(world: World) -> None:
    world.index(world.code("src/http.py", PARSER), world.code("src/queue.py", "def drain(queue): ..."))
    hit = world.search("parse header")[0]
    assert hit["kind"] == "code"
    assert hit["title"] == "src/http.py"
    assert hit["citation"] == {
        "type": "code",
        "repository_id": world.repository,
        "repository": "https://git.test/a.git",
        "path": "src/http.py",
        "commit": "seen1",
        "branches": ["main"],
        "start_line": 1,
        "end_line": 6,
    }
    shown = [hit["excerpt"][start:end] for start, end in hit["highlights"]]
    assert shown == ["parse", "Header"]
    assert hit["excerpt_start_line"] == 1
    assert hit["score"] == hit["scores"]["words"] + hit["scores"]["meaning"]


def test_commits_and_messages_are_found_and_cited(world: World) -> None:
    world.index(
        world.commit("abc123", "Retry leases\n\nThe broker forgets them."),
        world.message("one", "Why do leases expire?"),
    )
    found, message = (world.search("leases", kind=kind)[0] for kind in ("commit", "message"))
    assert found["citation"]["sha"] == "abc123"
    assert found["citation"]["author"] == "Ada <ada@example.org>"
    assert message["citation"] == {"type": "message", "checkpoint_id": world.checkpoint, "message_id": "msg_one"}
    assert message["excerpt_start_line"] is None


def test_get_and_post_answer_alike(world: World) -> None:
    world.index(world.code("src/http.py", PARSER), world.message("one", "parse the header"))
    world.write(world.manifest.head(Head(world.repository, 1, "head1", "main", {"main": "head1"})))
    asked = {"q": "parse -queue header", "kind": ["code", "message"], "limit": 5, "path": "src/**"}
    asked |= {"explain": True, "as_of": "2100-01-01"}
    by_query, by_body = world.get(**asked), world.post(asked)
    assert by_query.status == by_body.status == 200
    assert by_query.json == by_body.json
    assert [hit["kind"] for hit in by_query.json["items"]] == ["code"]


def test_a_tenants_answer_holds_nothing_of_another(world: World, neighbour: World) -> None:
    world.index(world.message("mine", "lease of the broker"))
    neighbour.index(neighbour.message("theirs", "lease of the broker"), neighbour.message("more", "lease lease"))
    (hit,) = world.search("lease")
    assert hit["title"] == "mine"
    assert world.search("lease", project=neighbour.project) == []
    assert world.get(q="lease").json["index"]["chunks"] == 1


def test_an_edit_replaces_and_a_delete_removes_at_once(world: World) -> None:
    world.index(world.message("one", "elephants are grey"))
    world.index(world.message("one", "giraffes are tall", version=2))
    assert [hit["excerpt"] for hit in world.search("elephants")] == ["giraffes are tall"]
    world.write(*world.manifest.hide([SourceRef(source_id="message:one", version=3)]))
    assert world.search("giraffes") == []


def test_a_late_older_version_does_not_come_back(world: World) -> None:
    world.index(world.message("one", "new text", version=5))
    world.index(world.message("one", "old text", version=4))
    assert [hit["excerpt"] for hit in world.search("text")] == ["new text"]


def test_a_message_that_became_empty_is_not_found_any_more(world: World) -> None:
    world.index(world.message("one", "elephants"))
    world.index(world.message("one", "   ", version=2))
    assert world.search("elephants") == []


def test_a_dropped_container_or_project_is_gone_with_everything_in_it(world: World) -> None:
    world.index(world.code("a.py", "elephants = 1"), world.message("one", "elephants"))
    world.write(world.manifest.drop(world.checkpoint))
    assert [hit["kind"] for hit in world.search("elephants")] == ["code"]
    world.write(world.manifest.drop(world.project), world.manifest.drop(world.repository))
    assert world.search("elephants") == []
    world.index(world.code("b.py", "elephants = 2"))
    assert world.search("elephants") == []
    assert world.get(q="x").json["index"]["repositories"] == {}


def test_code_of_a_completed_run_is_cited_at_the_head_and_newer_code_where_it_was_seen(world: World) -> None:
    world.index(
        world.code("old.py", "elephants", version=3),
        world.code("topic.py", "elephants", version=3, branches=("topic",)),
        world.code("new.py", "elephants", version=4),
    )
    head = Head(world.repository, 3, "head3", "main", {"main": "head3", "topic": "topic3"})
    world.write(world.manifest.head(head))
    cited = {hit["title"]: hit["citation"]["commit"] for hit in world.search("elephants")}
    assert cited == {"old.py": "head3", "topic.py": "topic3", "new.py": "seen4"}
    repositories = world.get(q="x").json["index"]["repositories"]
    assert repositories[world.repository] == {
        "commit": "head3",
        "branch": "main",
        "branches": {"main": "head3", "topic": "topic3"},
        "run": 3,
    }


def test_filters_narrow_the_search(world: World) -> None:
    world.index(
        world.code("src/a/one.py", "elephants", author="Ada <ada@example.org>", occurred_at="2026-01-10T00:00:00Z"),
        world.code("src/two.go", "elephants", language="go", author="Bob", occurred_at="2026-01-20T00:00:00Z"),
        world.message("three", "elephants", occurred_at="2026-01-30T00:00:00+03:00"),
    )

    def titles(**asked: object) -> set[str]:
        return {hit["title"] for hit in world.search("elephants", **asked)}

    assert titles(kind=["code"]) == {"src/a/one.py", "src/two.go"}
    assert (
        titles(path="*.py")
        == titles(path="src/**/one.py")
        == titles(language="Python")
        == titles(language="py")
        == {"src/a/one.py"}
    )
    assert titles(author="ADA@EXAMPLE") == {"src/a/one.py"}
    assert titles(since="2026-01-20") == {"src/two.go", "three"}
    assert titles(until="2026-01-20T00:00:00Z") == {"src/a/one.py"}
    assert titles(since="2026-01-29T21:00:00Z", until="2026-01-29T21:00:01Z") == {"three"}
    assert titles(project=world.project) == {"src/a/one.py", "src/two.go", "three"}
    assert titles(since="1h") == set()


def test_pages_put_together_are_the_whole_list(world: World) -> None:
    world.index(*(world.message(f"m{number:02d}", f"elephants number {number}") for number in range(23)))
    whole = [hit["source_id"] for hit in world.search("elephants", limit=50)]
    assert len(whole) == 23
    seen, cursor, page = [], None, 0
    while cursor or not page:
        # The page size may change between pages.
        answer = world.get(q="elephants", limit=5 + page, **({"cursor": cursor} if cursor else {})).json
        seen += [hit["source_id"] for hit in answer["items"]]
        cursor, page = answer["next_cursor"], page + 1
    assert seen == whole


def test_a_cursor_is_only_good_for_its_own_query_and_tenant(world: World, neighbour: World) -> None:
    world.index(*(world.message(f"m{number}", "elephants") for number in range(3)))
    cursor = world.get(q="elephants", limit=1).json["next_cursor"]
    tenants = [world.get(q="giraffes", cursor=cursor), world.get(q="elephants", kind="code", cursor=cursor)]
    for answer in [*tenants, world.get(q="elephants", cursor=cursor[:-2] + "AA"), world.get(q="elephants", cursor="é")]:
        assert (answer.status, answer.json["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "   "}, "q"),
        ({"q": "x" * 1001}, "q"),
        ({"q": "x", "limit": 0}, "limit"),
        ({"q": "x", "limit": 51}, "limit"),
        ({"q": "x", "limit": "ten"}, "limit"),
        ({"q": "x", "kind": ["poem"]}, "kind"),
        ({"q": "x", "project": ["prj_1"]}, "project"),
        ({"q": "x", "path": "[z-a]"}, "path"),
        ({"q": "x", "path": ""}, "path"),
        ({"q": "x", "since": "yesterday"}, "since"),
        ({"q": "x", "until": "2026-13-01"}, "until"),
        ({"q": "x", "since": "999999w"}, "since"),
        ({"q": "x", "since": "1d", "until": "2d"}, "since"),
        ({"q": "x", "author": " "}, "author"),
        ({"q": "x", "cursor": "x" * 3000}, "cursor"),
        ({"q": "x", "sort": "date"}, "sort"),
        ({"q": 'x "y'}, "q"),
        ({"q": "lang:python"}, "q"),
        ({"q": "x", "as_of": "yesterday"}, "as_of"),
        ({"q": "x", "as_of": "abc123"}, "as_of"),
        ({"q": "x", "explain": "perhaps"}, "explain"),
    ],
)
def test_bad_input_is_a_problem_that_names_the_field(world: World, asked: dict[str, object], field: str) -> None:
    for answer, place in ((world.get(**asked), "query"), (world.post(asked), "body")):
        assert answer.status == 422, answer.text
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json["errors"][0]["field"].startswith(f"{place}.{field}")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"q": "\\ud800"}', b'{"q": null}', b"\xff"])
def test_a_body_that_is_no_search_is_refused(world: World, body: bytes) -> None:
    assert world.post(body).status == 422


@pytest.mark.parametrize(
    "q", ["?!", "\u0000", "👩‍👩‍👧", "' OR 1=1 --", "ⅷ", "a" * 1000, "где", "%s %d {0}", "\u202eabc"]
)
def test_any_text_can_be_searched_for(world: World, q: str) -> None:
    world.index(world.message("one", "elephants"))
    assert world.get(q=q).status == 200


def test_without_credentials_there_is_no_search(world: World) -> None:
    answer = world.stack.call("search", "GET", "/api/v1/search", tenant=None, query={"q": "x"})
    assert answer.status == 401


def test_an_empty_tenant_has_an_empty_answer(world: World) -> None:
    answer = world.get(q="anything").json
    assert answer == {
        "items": [],
        "next_cursor": None,
        "hints": [],
        "index": {
            "index_id": "test-hash",
            "model": "test:hash",
            "meaning": "model",
            "degraded": None,
            "chunks": 0,
            "pending": {
                "messages": 0,
                "message_ids": [],
                "documents": 0,
                "document_ids": [],
                "batches": {},
                "since": None,
            },
            "as_of": None,
            "repositories": {},
        },
    }


def test_the_query_itself_narrows_the_search(world: World) -> None:
    world.index(
        world.code("src/one.py", "elephants = remember(grey)", author="Ada <ada@example.org>"),
        world.code("lib/two.go", "elephants = forget(grey)", language="go"),
        world.message("three", "the grey elephants"),
    )

    def titles(q: str, **asked: object) -> set[str]:
        return {hit["title"] for hit in world.search(q, **asked)}

    assert titles("elephants") == {"src/one.py", "lib/two.go", "three"}
    assert titles('"grey elephants"') == {"three"}
    assert titles("elephants -forget") == {"src/one.py", "three"}
    assert (
        titles("elephants path:src/")
        == titles("elephants lang:py")
        == titles('elephants author:"ada"')
        == {"src/one.py"}
    )
    assert titles("elephants path:src/,lib/") == titles("elephants -kind:message") == {"src/one.py", "lib/two.go"}
    assert titles("elephants -path:src/ -lang:go") == {"three"}
    assert titles(f"elephants project:{world.project}") == {"src/one.py", "lib/two.go", "three"}
    assert titles("elephants: remember") >= {"src/one.py"}


def test_filters_in_the_query_and_beside_it_must_both_hold(world: World) -> None:
    day = "2026-01-{}T00:00:00Z".format
    world.index(
        world.code("src/one.py", "elephants", author="Ada", occurred_at=day(10)),
        world.code("lib/two.go", "elephants", language="go", author="Bob", occurred_at=day(20)),
    )

    def titles(q: str, **asked: object) -> set[str]:
        return {hit["title"] for hit in world.search(q, **asked)}

    assert titles("elephants path:src/", author="Ada") == {"src/one.py"}
    assert titles("elephants path:src/", author="Bob") == set()
    assert titles("elephants lang:python,go", language="Go") == {"lib/two.go"}
    assert titles("elephants lang:python", language="go") == set()
    assert titles("elephants kind:message", kind="code") == set()
    assert titles("elephants since:2026-01-15", since="2026-01-01") == {"lib/two.go"}
    assert titles("elephants until:2026-01-15", until="2026-01-30") == {"src/one.py"}
    answer = world.get(q="elephants since:2026-01-15", until="2026-01-15")
    assert (answer.status, answer.json["code"]) == (422, "invalid_period")
    assert titles("elephants path:src/,lib/", path="*.go") == titles("elephants author:b", author="o") == {"lib/two.go"}
    assert titles("elephants path:src/", path="*.go") == titles("elephants author:ada", author="bob") == set()


def test_an_error_in_the_query_points_at_the_character(world: World) -> None:
    asked = {"q": " где kind:poem"}
    for answer, place in ((world.get(**asked), "query"), (world.post(asked), "body")):
        assert (answer.status, answer.json["code"]) == (422, "invalid_query")
        (error,) = answer.json["errors"]
        assert error["field"] == f"{place}.q"
        assert asked["q"][error["position"] :][: error["length"]] == "poem"
        assert error["pointer"] == " где kind:poem\n          ^^^^"
        assert error["message"] == answer.json["detail"]
        assert "`commit`" in error["message"]


def test_what_looks_like_a_slip_is_searched_for_with_a_hint(world: World) -> None:
    world.index(world.message("one", "lnag is no word"))
    answer = world.get(q="lnag:python").json
    assert [hit["title"] for hit in answer["items"]] == ["one"]
    assert "`lang:`" in answer["hints"][0]


def test_a_score_is_explained_when_that_is_asked_for(world: World) -> None:
    world.index(world.message("one", "elephants never forget"), world.message("two", "giraffes never sleep"))
    assert all(hit["explanation"] is None for hit in world.search("elephants and zebras"))
    first = world.search("elephants and zebras", explain="true")[0]
    told = first["explanation"]
    assert first["title"] == "one"
    assert set(told["terms"]) == {"eleph"}
    assert sum(told["terms"].values()) == pytest.approx(told["bm25"])
    assert 0 < told["cosine"] <= 1
    assert told["embedded"] is True
    assert told["words_weight"] + told["meaning_weight"] == pytest.approx(1)
    assert first["scores"]["words"] == pytest.approx(told["words_weight"])


def test_words_alone_answer_when_the_model_does_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RetryableError("no answer")

    world.index(world.message("one", "elephants never forget"), world.message("two", "giraffes"))
    monkeypatch.setattr(HashEmbedder, "embed_query", broken)
    answer = world.get(q="elephants", explain="true")
    assert answer.status == 200
    assert (answer.json["index"]["meaning"], answer.json["index"]["degraded"]) == (
        "words",
        "the embedding model does not answer; words only",
    )
    (hit,) = answer.json["items"]
    assert (hit["title"], hit["score"], hit["scores"]["meaning"]) == ("one", 1.0, 0.0)
    assert (hit["explanation"]["words_weight"], hit["explanation"]["meaning_weight"]) == (1.0, 0.0)


def damaged(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


@pytest.mark.parametrize("damage", [damaged, lambda body: body[:100], None])
def test_a_damaged_or_missing_segment_is_reported_by_its_key_and_never_a_wrong_answer(
    world: World, damage: object, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    world.index(world.message("one", "elephants"))
    (key,) = world.segments()
    whole = run(blobs().get(key))
    if callable(damage):
        run(blobs().put(key, damage(whole)))
    else:
        run(blobs().delete([key]))
    answer = world.get(q="elephants")
    assert (answer.status, answer.json["code"]) == (503, "index_unavailable")
    assert key not in answer.text
    assert key in [getattr(record, "key", None) for record in caplog.records]
    assert '"CorruptSegments":[1' in capsys.readouterr().out
    run(blobs().put(key, whole))
    assert len(world.search("elephants")) == 1


def test_the_answer_is_as_fresh_as_the_last_acknowledged_write(world: World) -> None:
    for number in range(5):
        world.index(world.message(f"m{number}", f"elephants {number}"))
        assert len(world.search("elephants")) == number + 1


def test_messages_of_the_queue_are_what_the_worker_reads(world: World) -> None:
    event = world.send(world.message("one", "elephants"))
    assert IndexSources.model_validate_json(event.model_dump_json()) == event


def test_an_index_of_a_model_that_the_deployment_lacks_is_unavailable_and_the_answer_names_it(world: World) -> None:
    assert world.get(q="elephants").status == 200
    world.write(world.manifest.direct(Directory({"other": IndexInfo("other", "nowhere:model")}, 1)))
    answer = world.get(q="elephants")
    assert (answer.status, answer.json["code"]) == (503, "index_unavailable")
    assert "nowhere:model" in answer.json["detail"]


def test_another_model_serves_from_the_first_search_after_the_switch_on(world: World) -> None:
    world.write(world.manifest.direct(Directory({"other": IndexInfo("other", "test:hash@32")}, 1)))
    world.index(world.message("one", "elephants never forget"))
    for _ in range(2):
        answer = world.get(q="elephants", explain="true").json
        assert (answer["index"]["index_id"], answer["index"]["model"]) == ("other", "test:hash@32")
        assert (answer["index"]["meaning"], answer["items"][0]["explanation"]["embedded"]) == ("model", True)


def test_first_pages_are_measured_against_an_exhaustive_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "recall", lambda: Recall(wiring.table(), 1.0))
    world.index(*(world.message(f"m{number}", f"elephants number {number}") for number in range(12)))
    cursor = world.get(q='elephants "number"').json["next_cursor"]
    assert world.get(q='elephants "number"', cursor=cursor).status == 200
    answer = world.stack.call("search", "GET", "/api/v1/search/quality", tenant=world.tenant)
    assert (answer.json["queries"], answer.json["recall"]) == (1, 1.0)
