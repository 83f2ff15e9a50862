"""What a browser is told to save a file as."""

import re
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from almanac.aws.blobs import attachment

HEADER = re.compile(r"attachment; filename=\"[^\"\\%\x00-\x1f\x7f-\uffff]*\"(; filename\*=UTF-8''[\w.~%-]*)?", re.ASCII)


@given(name=st.text())
def test_a_name_says_nothing_but_a_name(name: str) -> None:
    assert HEADER.fullmatch(attachment(name))


@given(name=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_name_comes_through_whatever_it_holds(name: str) -> None:
    plain, _, extended = attachment(name).partition("; filename*=UTF-8''")
    assert unquote(extended) == name if extended else plain == f'attachment; filename="{name}"'


def test_a_plain_name_is_said_once() -> None:
    assert attachment("Scope of work.pdf") == 'attachment; filename="Scope of work.pdf"'
