"""Promises and requests in running prose: said of somebody, reported, or asked for, wherever a clause begins."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from collections.abc import Iterator
from typing import NamedTuple

from documents.analysis import cues

_NAMES = rf"(?:{cues.TITLES} )?{cues.NAMES}"
_WHO = rf"(?P<who>{cues.ROLE}|{cues.OURS}|{_NAMES})"
_ANYBODY = rf"(?P<who>{cues.ROLE}|{cues.OURS}|[Yy]ou|[Hh]e|[Ss]he|[Tt]hey|{_NAMES})"
_ALSO = r"(?:also |then |now |still |kindly |has |have |had )*"
_CLAUSE = re.compile(
    r"^ *(?:In|At|As|On|After|For|To) [^,.:;]{2,50}, |; |: |, (?:and|but|so|while|as) (?:then )?|,? that |, (?:а|"
    r"и|но) |, что "
)
_FORMS = (
    # "Our client confirms that it will vacate the premises"
    re.compile(
        rf"{_WHO} {_ALSO}(?:confirm(?:s|ed)|promise[sd]|assure[sd]|agree[sd]|said|says|state[sd]|report(?:s|ed)|"
        r"announce[sd]|insist(?:s|ed)|told)(?: us| me| them)?(?: that)? (?:it|he|she|they) (?:will|would|shall) "
        r"(?:also )?(?P<verb>[a-z]{2,})"
    ),
    # "you agreed on the telephone to release the deposit"
    re.compile(
        rf"{_ANYBODY} {_ALSO}(?:agree[sd]?|promise[sd]?|offer(?:s|ed)?|undertook|undertakes?|undertaken|"
        r"volunteer(?:s|ed)?|commit(?:s|ted)?|pledge[sd]?)(?: (?!to |that |not |never )[\w']+){0,4} to "
        r"(?P<verb>[a-z]{2,})"
    ),
    # "The board asked Ann to call", "Ann was asked to call"
    re.compile(
        rf"(?:[\w.]+ ){{1,3}}(?:asked|requested|instructed|reminded|urged) (?P<who>{cues.ROLE}|"
        rf"{_NAMES}) to (?P<verb>[a-z]{{2,}})"
    ),
    re.compile(
        rf"{_WHO} (?:was|were|is|are|has been|have been) (?:asked|requested|instructed|"
        rf"assigned) to (?P<verb>[a-z]{{2,}})"
    ),
    # "Please confirm this in writing"
    re.compile(
        r"(?:[Ww]e (?:kindly )?ask you to|[Pp]lease|[Kk]indly|[Cc]ould you(?: please)?|[Ww]ould you(?: please)?) "
        r"(?P<verb>(?!see\b|note|find|feel|contact|refer|do\b|don't|ignore|be\b|accept|excuse|remember|let\b|"
        r"not\b|like\b|mind\b)[a-z]{2,})"
    ),
    re.compile(rf"(?P<who>{cues.NAMES}), (?:please|(?:can|could|would|will) you(?: please)?) (?P<verb>[a-z]{{2,}})"),
    # "Прошу до 10 октября согласовать закупку"
    re.compile(
        r"(?:[Пп]рошу|[Пп]росим)(?: вас)?(?: (?:до|к|в|не позднее) (?:[\w.]+ ){1,4}?| )(?P<verb>[а-яё]{3,}(?:ть|"
        r"ти|чь)(?:ся)?)(?!\w)"
    ),
    # "Антон отвечает за найм"
    re.compile(
        rf"(?P<who>{cues.NAMES}) (?:отвечает|ответственна?|взял(?:а|и)? на себя|"
        rf"берёт на себя)(?: за)? (?P<verb>[а-яё]{{3,}})"
    ),
    # "Лиза до пятницы допишет тесты"
    re.compile(
        rf"(?P<who>{cues.NAMES}) (?:до|к|в|во|на|за) (?:[\w.]+ ){{1,3}}?(?P<verb>[а-яё]{{3,}}(?:ит|ет|ёт|ят|ат|ут|"
        rf"ют))(?!\w)"
    ),
)
_MODAL = re.compile(
    rf"{_WHO} {_ALSO}(?:will|shall|is going to|are going to|is responsible for|are responsible for) "
    r"(?:also |then )?(?P<verb>[a-z]{2,})"
)
# Most sentences have none of these words: looking for them first saves half of the time.
_MAYBE = re.compile(
    r"\b(?:agree|promise|offer|undert|volunteer|commit|pledge|ask|request|instruct|remind|urge|assigned|please|"
    r"kindly|could you|would you|can you|will|would|shall|going to|responsible for)|прошу|просим|отвеча|взял|берёт|"
    r"[А-ЯЁ][а-яё]+ (?:до|к|в|во|на|за) ",
    re.IGNORECASE,
)


class Promise(NamedTuple):
    """Who is to do something, if that is said, and where that clause and what is to be done begin.

    `certain`: it is asked for or undertaken, and not merely in the future.
    """

    who: str | None
    start: int
    begin: int
    verb: str
    certain: bool


def promises(text: str) -> Iterator[Promise]:
    """Yield what the clauses of a sentence promise or ask for."""
    if _MAYBE.search(text) is None:
        return
    first = len(text) - len(text.lstrip(' *_"“«'))
    for begin in (first, *(match.end() for match in _CLAUSE.finditer(text))):
        for form in _FORMS:
            if match := form.match(text, begin):
                who = match.groupdict().get("who")
                yield Promise(who, begin, match.start("verb"), match["verb"], certain=True)
        if match := _MODAL.match(text, begin):
            yield Promise(match["who"], begin, match.start("verb"), match["verb"], certain=False)
