"""People and organisations that a text names in places where names stand: lists of those present, owners, parties."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from collections.abc import Sequence

from documents.analysis import cues
from documents.analysis.model import ActionItem, NamedParty, TextSpan
from documents.analysis.sections import Section
from documents.analysis.units import Page, Unit

MOST_SPANS = 3
MOST_NAMES = 300

_PERSON = re.compile(cues.NAME)
_TWO = re.compile(rf"{cues.WORD}(?: (?:{cues.WORD}|de|van|von|der|la|da))? {cues.WORD}")
_LABEL = re.compile(
    r"^[\s*_>|-]*(?:attendees?|present|participants?|in attendance|apologies|absent|author|prepared by|written by|"
    r"approved by|reviewed by|signed(?: by)?|from|to|cc|in the room|on the call|remote(?:ly)?|online|dialled in|"
    r"chair(?:ed by)?|minutes(?: taken)? by|project (?:manager|lead|"
    r"owner)|product owner|sponsor|owner|facilitator|note ?taker|scribe|contact|присутствовали|присутствующие|"
    r"участники|были|на встрече|на связи|отсутствовали|от кого|кому|от|автор|подготовил[аи]?|утвердил[аи]?|"
    r"согласовал[аи]?|председатель|секретарь|"
    r"руководитель(?: проекта)?|менеджер проекта|ответственный|контактное лицо|протокол (?:вёл|вела|"
    r"вел))[*_]*\s*[:–—][*_]*\s*(?P<rest>.+)$",
    re.IGNORECASE,
)
_PRESENT = re.compile(rf"(?:[Pp]resent (?:were|was)|[Aa]ttended by|[Пп]рисутствовали)\b:? (?P<n>{cues.NAMES}[^.:]*)")
_CLOSING = re.compile(
    r"(?:[Yy]ours (?:sincerely|faithfully|truly)|(?:[Kk]ind|[Bb]est|[Ww]arm) (?:regards|wishes)|[Rr]egards|"
    r"[Ss]incerely|"
    rf"[Сс] уважением),?\s+(?P<n>{cues.WORD}(?: {cues.WORD}){{1,2}})\s*$"
)
_TITLED_RU = re.compile(r"^(?:[а-яё]+ ){1,4}(?P<n>[А-ЯЁ][а-яё]+ [А-ЯЁ][а-яё]+)$")
_SIGNED = re.compile(r"[А-ЯЁ][а-яё]+ [А-ЯЁ][а-яё]+(?:-[А-ЯЁ][а-яё]+)?")
_ACCOUNT = re.compile(r"(?<![\w.@])@[A-Za-z][\w.\-]*\w")
_HONORIFIC = re.compile(
    rf"\b{cues.TITLES} ?(?P<n>{cues.WORD} {cues.WORD})|\b(?P<t>{cues.TITLES} ?{cues.WORD})|(?:г-н|"
    rf"г-жа) (?P<r>{cues.WORD}(?: {cues.WORD})?)"
)
_TITLE = re.compile(rf"^{cues.TITLES} ?")
_INITIALS = re.compile(r"(?:[А-ЯЁ]\. ?){1,2}[А-ЯЁ][а-яё\-]{2,}|[А-ЯЁ][а-яё\-]{2,} [А-ЯЁ]\. ?[А-ЯЁ]\.")
_MAIL = re.compile(rf"(?P<n>{cues.WORD}(?: {cues.WORD}){{1,2}}) ?<[^<>@\s]+@[^<>\s]+>")
_FORMS = (
    r"(?:Inc|Ltd|LLC|LLP|GmbH|AG|Corp|Corporation|PLC|plc|Limited|S\.A|SA|S\.r\.l|B\.V|BV|N\.V|Oy|AB|Co|Company|"
    r"SE|Pty)"
)
_COMPANY = re.compile(rf"(?P<n>{cues.WORD}(?:[ -](?:&|and|{cues.WORD})){{0,4}}?),? {_FORMS}\b")
_COMPANY_RU = re.compile(r"(?<!\w)(?:ООО|АО|ПАО|ЗАО|ОАО|ИП|ФГУП|ГУП|НКО|АНО) [«\"“][^«»\"”\n]{2,60}[»\"”]")
_OTHER = re.compile(
    rf"\b(?:University of {cues.WORD}(?: {cues.WORD})?|Ministry of {cues.WORD}(?: (?:and )?{cues.WORD}){{0,3}}|"
    rf"{cues.WORD}(?: {cues.WORD}){{0,2}} (?:University|Institute|Bank|Agency|Foundation|Council))\b|"
    rf"(?<!\w)Министерств\w+ [а-яё ]{{4,40}}"
)
_GROUP = re.compile(
    rf"{cues.ROLE}|{cues.ROLE_RU}|.*\b(?:team|department|office|board|committee|all|everyone|команда|отдел|все)\b.*",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s*(?:,|;| and | & | и |/|\|)\s*")
_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")


class Names:
    """Collects names, page by page."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], list[TextSpan]] = {}
        self.known: set[str] = set()
        """The first words of people's names, in lower case."""

    def meet(self, unit: Unit) -> None:
        """Take in the names of a unit."""
        text = unit.text
        if label := _LABEL.match(text):
            self._listed(unit, label.start("rest"), len(text), alone=False)
        elif unit.section is Section.PEOPLE:
            self._listed(unit, 0, len(text), alone=True)
        elif present := _PRESENT.search(text):
            self._listed(unit, *present.span("n"), alone=False)
        elif closing := _CLOSING.search(text):
            name = closing["n"]
            self._add("person", name, _within(unit.span, name))
        elif _SIGNED.fullmatch(text.strip()):
            self._add("person", text.strip(), unit.span)
        if unit.form == "row":
            self._row(unit)
        if "@" in text:
            self._all(unit, "person", _ACCOUNT, _MAIL)
        self._all(unit, "person", _HONORIFIC)
        if "." in text:
            self._all(unit, "person", _INITIALS)
        self._all(unit, "organisation", _COMPANY, _COMPANY_RU, _OTHER)

    def owner(self, action: ActionItem) -> None:
        """Take in who is to do something."""
        for name in _SEPARATOR.split(action.who or ""):
            if name and _PERSON.fullmatch(name) and not _GROUP.fullmatch(name) and not cues.is_nobody(name):
                self._add("person", name, _within(action.spans[0], name))

    def found(self, pages: Sequence[Page]) -> list[NamedParty]:
        """Return the names in order of their first place, with how often the pages have each."""
        listed = [each for each in self._spans.items() if not self._is_short(*each[0])][:MOST_NAMES]
        texts = [page.text for page in pages]
        return [
            NamedParty(
                name=name, kind=kind, mentions=sum(text.count(name) for text in texts) or len(spans), spans=spans
            )
            for (kind, name), spans in listed
        ]

    def _is_short(self, kind: str, name: str) -> bool:
        """Tell whether a first or last name, or an account, is that of one person whose whole name is known."""
        bare = _TITLE.sub("", name)
        if kind != "person" or " " in bare:
            return False
        first = bare.lstrip("@").casefold()
        longer = {_TITLE.sub("", other) for other_kind, other in self._spans if other_kind == kind and " " in other}
        if bare == name and name in longer:
            return True
        longer = {other for other in longer if " " in other}
        return sum(first in (other.casefold().split()[0], other.casefold().split()[-1]) for other in longer) == 1

    def _listed(self, unit: Unit, start: int, end: int, *, alone: bool) -> None:
        """Take in a list of names; of a sentence in a section of people only what is nothing but names."""
        pieces = [_BRACKETS.sub("", piece) for piece in _SEPARATOR.split(_BRACKETS.sub("", unit.text[start:end]))]
        pieces = [re.sub(rf" (?:of|von der|from) (?:the )?{cues.WORD}.*", "", piece) for piece in pieces]
        pieces = [titled["n"] if (titled := _TITLED_RU.match(piece.strip())) else piece for piece in pieces]
        cleaned = [_bare(re.split(r"\s[–—-]\s|:", piece.strip(" *_:-–—"))[0]) for piece in pieces]
        names = [piece for piece in cleaned if piece and _PERSON.fullmatch(piece)]
        if alone and len(names) * 2 < len([piece for piece in cleaned if piece]):
            return
        for name in names:
            if not _GROUP.fullmatch(name):
                self._add("person", name, _within(unit.span, name))

    def _row(self, unit: Unit) -> None:
        from documents.analysis.tables import Column, column_of

        headers = {column_of(cell.header) for cell in unit.cells}
        if Column.PERSON not in headers or (unit.section is not Section.PEOPLE and len(unit.cells) < 2):
            return
        for cell in unit.cells:
            if column_of(cell.header) is Column.PERSON and _TWO.fullmatch(cell.text):
                self._add("person", cell.text, _within(unit.span, cell.text))

    def _all(self, unit: Unit, kind: str, *patterns: re.Pattern[str]) -> None:
        for pattern in patterns:
            for match in pattern.finditer(unit.text):
                start, end = next(
                    (
                        match.span(group)
                        for group in ("n", "t", "r")
                        if kind == "person" and match.groupdict().get(group)
                    ),
                    match.span(),
                )
                page_span = unit.page.span(unit.start + start, unit.start + end)
                self._add(kind, " ".join(unit.text[start:end].split()), page_span)

    def _add(self, kind: str, name: str, span: TextSpan) -> None:
        spans = self._spans.setdefault((kind, name), [])
        if len(spans) < MOST_SPANS and span not in spans:
            spans.append(span)
        if kind == "person":
            self.known.add(_TITLE.sub("", name).lstrip("@").split()[0].casefold())


def _bare(piece: str) -> str:
    """Return a name without the marks around it; the point behind an initial is its own."""
    piece = piece.strip(" *_")
    return piece if re.search(r"(?:^|[ .])[^\W\d_a-zа-яё]\.$", piece) else piece.rstrip(". ")


def lists_names(text: str) -> bool:
    """Tell whether a line is a label with names behind it."""
    return _LABEL.match(text) is not None


def _within(span: TextSpan, name: str) -> TextSpan:
    """Return where a name stands in a quote; the whole of it when the name is not there as it is."""
    place = span.quote.find(name)
    if place < 0:
        return span
    start = span.start + place
    return span.model_copy(update={"start": start, "end": start + len(name), "quote": name})
