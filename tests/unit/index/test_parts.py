"""Parts: equal bytes for equal content, and no damage goes unseen."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.events import BatchOrigin
from almanac.index.encoding import EncodedPart, columns_of, encode, lay_out
from almanac.index.filters import Filters
from almanac.index.merge import merge
from almanac.index.parts import FORMAT, PREFIX, CorruptPart, Part, open_part
from almanac.index.retrieval import search
from almanac.index.segments import Model, ModelMismatch, Row, Segment
from almanac.index.sources import SourceInfo, SourceRef
from almanac.index.visibility import Facts, View
from tests.unit.index.histories import MODEL, info, part_of, query, segment

KEY = "tenants/ten_1/index/test/parts/abc"
SMALL = segment(
    [(info(1), ["parse the header", "second\u2028chunk"]), (info(2), [])], [SourceRef(source_id="x", version=3)]
)


def read(body: bytes | None, sha256: str, model: Model = MODEL) -> Part:
    return open_part(body, name=sha256, key=KEY, model=model)


chunk_texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=3)


@settings(deadline=None)
@given(st.lists(chunk_texts, max_size=4), st.integers(1, 2**40), st.booleans())
def test_a_segment_survives_its_encoding(texts: list[list[str]], version: int, origin: bool) -> None:
    made = segment([(info(n, version), t) for n, t in enumerate(texts)], [SourceRef(source_id="y", version=version)])
    made = replace(made, origin=BatchOrigin(repository_id="rep_1", run=2, batch=3) if origin else None)
    encoded = encode(made)
    part = read(encoded.body, encoded.sha256)
    walked = {source.source_id: (source, [row._replace(source=0) for row in rows]) for source, rows in part.walk()}
    assert walked == {
        source.source_id: (source, [row._replace(source=0) for row in made.rows if row.source == place])
        for place, source in enumerate(made.sources)
    }
    assert made.vectors is not None
    for row in range(part.rows):
        known = made.rows.index(
            part.row(row)._replace(source=int(part.info(int(part.row_documents[row])).source_id[-3:]))
        )
        assert part.vectors[row].tolist() == made.vectors[known].tolist()
    assert (part.origin, part.model) == (made.origin, MODEL)
    assert part.graves().versions.tolist() == [version]


def test_equal_segments_have_equal_names_and_different_origins_different_ones() -> None:
    assert SMALL.vectors is not None
    again = replace(SMALL, vectors=SMALL.vectors.copy(order="F"))
    other = replace(SMALL, origin=BatchOrigin(repository_id="r", run=1, batch=1))
    assert encode(again) == encode(SMALL)
    assert encode(other).sha256 != encode(SMALL).sha256


def test_every_flipped_byte_is_seen_and_named() -> None:
    encoded = encode(SMALL)
    for place in range(len(encoded.body)):
        damaged = bytearray(encoded.body)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(CorruptPart, match=KEY):
            read(bytes(damaged), encoded.sha256)


def test_every_truncation_and_a_missing_object_are_seen() -> None:
    encoded = encode(SMALL)
    for length in range(len(encoded.body)):
        with pytest.raises(CorruptPart):
            read(encoded.body[:length], encoded.sha256)
    with pytest.raises(CorruptPart, match="missing"):
        read(None, encoded.sha256)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bytes_that_are_no_part_are_refused_even_under_their_own_name(data: st.DataObject) -> None:
    body = bytearray(encode(SMALL).body)
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])
    try:
        read(cut, hashlib.sha256(cut).hexdigest())
    except (CorruptPart, ModelMismatch):
        return


def test_vectors_of_another_model_are_refused_though_the_dimensions_agree() -> None:
    encoded = encode(SMALL)
    with pytest.raises(ModelMismatch):
        read(encoded.body, encoded.sha256, MODEL.model_copy(update={"fingerprint": "f2"}))


@pytest.mark.parametrize(
    ("sources", "rows", "vectors"),
    [
        ([info(1), info(1, 2)], [], np.zeros((0, 8), np.int8)),
        ([info(1)], [Row(0, 0, 1, 1, "a")], np.zeros((0, 8), np.int8)),
        ([info(1)], [Row(0, 0, 1, 1, "a")], np.zeros((1, 8), np.float32)),
        ([info(1)], [Row(0, 1, 1, 1, "a"), Row(0, 0, 1, 1, "a")], np.zeros((2, 8), np.int8)),
        ([info(1)], [Row(1, 0, 1, 1, "a")], np.zeros((1, 8), np.int8)),
    ],
)
def test_an_inconsistent_segment_is_not_written(
    sources: list[SourceInfo], rows: list[Row], vectors: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=r"twice|vectors|order|outside"):
        encode(Segment(MODEL, sources, rows, vectors))


def of_format_2(made: Segment) -> EncodedPart:
    """Return a segment's part as it was laid out before documents: without a column of groups."""
    body = b"".join(lay_out(columns_of(made)))
    magic, length = PREFIX.unpack_from(body)
    header = json.loads(body[PREFIX.size : PREFIX.size + length])
    del header["sections"]["groups"]
    header["format"] = 2
    text = json.dumps(header, separators=(",", ":")).encode()
    old = PREFIX.pack(magic, length) + text.ljust(length) + body[PREFIX.size + length :]
    return EncodedPart(hashlib.sha256(old).hexdigest(), old)


def test_parts_of_the_format_before_documents_are_read_and_merged(tmp_path: Path) -> None:
    old = of_format_2(segment([(info(4), ["parse the header"])]))
    part = read(old.body, old.sha256)
    assert part.header.format == 2
    assert part.column("groups").tolist() == [-1]
    fresh = part_of(segment([(info(5), ["parse the queue"])]))
    narrowed = query("parse", filters=Filters(groups=frozenset({"doc_1"})))
    assert [hit.info.source_id for hit in search(View([part, fresh], Facts()), narrowed, 9)] == ["message:005"]
    assert search(View([part, fresh], Facts()), query("parse", filters=Filters(groups=frozenset({"doc_0"}))), 9) == []
    merged = merge([part, fresh], Facts(), tmp_path).current
    assert merged is not None
    again = open_part(merged.path.read_bytes(), name=merged.sha256, key=KEY, model=MODEL)
    assert again.header.format == FORMAT
    assert min(again.column("groups").tolist()) == -1
    assert [hit.info.source_id for hit in search(View([again], Facts()), narrowed, 9)] == ["message:005"]
    dropped = View([again], Facts(drops=frozenset({"doc_1"})))
    assert [hit.info.source_id for hit in search(dropped, query("parse"), 9)] == ["message:004"]


def test_a_part_of_a_format_to_come_is_refused() -> None:
    body = encode(SMALL).body.replace(f'"format":{FORMAT}'.encode(), f'"format":{FORMAT + 1}'.encode())
    with pytest.raises(CorruptPart, match="unreadable"):
        read(body, hashlib.sha256(body).hexdigest())
