"""What somebody is to do: from a labelled line, an item of a list of actions, or a promise in a sentence."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from documents.analysis import cues, prose
from documents.analysis.dates import Dated, dates
from documents.analysis.model import ActionItem, WrittenDate
from documents.analysis.sections import Section
from documents.analysis.terms import content
from documents.analysis.units import Unit

_MODAL = (
    r"(?:will|shall|must|is to|are to|to|needs? to|has to|have to|should|is going to|are going to|(?:has |"
    r"have )?agreed to|(?:has |have )?promised to|(?:has |have )?committed to|(?:has )?volunteered to|undertakes? to|"
    r"can you(?: please)?|please|is responsible for|takes on|owns)"
)
_MODAL_RU = r"(?:должн[аы]|должен|обяз(?:ан[аы]?|уется|уются)|необходимо|нужно|берёт на себя|взялся|взялась|поручено)"
_FUTURE_RU = r"[а-яё]{3,}(?:ит|ет|ёт|ят|ат|ут|ют|ится|ется|атся|утся)"
_WHO_FIRST = re.compile(
    rf"^\s*[*_]*(?:\[(?P<b>{cues.NAMES})\]|\((?P<p>{cues.NAMES})\)|(?P<n>{cues.ROLE}|"
    rf"{cues.NAMES}))[*_]*\s*(?:(?P<mark>:|[–—]|\s-\s)[*_]*\s*(?:{_MODAL}\s+)?|\s(?P<modal>{_MODAL}|{_MODAL_RU})\s+|"
    rf"(?<=\]|\))\s*|\s(?=(?:{_FUTURE_RU}|[а-яё]{{3,}}(?:ть|ти|чь)(?:ся)?)\s))"
)
_ACCOUNT = re.compile(rf"^\s*(?P<n>@[\w.\-]*\w)[,:]?\s+(?:{_MODAL}\s+)?")
_OWNER = re.compile(
    r"[\s,;(\[–—-]*\b(?i:owner|assignee|assigned to|responsible(?: person)?|who|lead|ответственн(?:ый|ая|ые)|"
    rf"исполнитель)\s*[:=–—-]\s*(?P<n>{cues.NAMES})"
)
_OWNER_CASE = re.compile(rf"^{cues.NAMES}$")
_TAIL = re.compile(
    r"\s*(?:\((?P<in>[^()]{1,80})\)|\[(?P<sq>[^\[\]]{1,80})\]|(?:\s[–—-]|,)\s*(?P<dash>[^()–—]{1,60}))\s*[.;]?\s*$"
)
_STATE = re.compile(
    r"[\s,;(\[–—:-]*\b(?:status|state|статус)\s*[:=]\s*(?P<labelled>[^,;()\[\]|.]{2,30})|(?:\s[–—:-]|"
    r"\()\s*(?P<bare>done|completed|closed|in progress|open|cancelled|готово|выполнено|сделано|в работе)\)?\s*\.?\s*$",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    rf"^(?P<lead>(?:[^,.:;]{{2,60}}, ))?(?P<who>{cues.ROLE}|{cues.NAMES})\s+(?:still |also |now |"
    rf"then )?(?P<modal>will|shall|must|is to|are to|needs? to|"
    r"has to|have to|(?:has |have )?agreed to|(?:has |have )?promised to|(?:has |have )?committed to|"
    r"(?:has )?volunteered to|undertakes? to)\s+(?P<not>not |never )?(?P<verb>[a-z]{2,})"
)
_SUBJECT_RU = re.compile(
    rf"^(?P<lead>(?:[^,.:;]{{2,60}}, )?)(?P<who>{cues.ROLE_RU}|(?:[Кк]оманда [\w\-]+)|"
    rf"{cues.NAMES})\s+(?:(?P<modal>{_MODAL_RU})\s+(?P<inf>[а-яё]+(?:ть|ти|чь|ться|тись))|"
    rf"(?P<future>{_FUTURE_RU}))(?!\w)"
)
# Of oneself, what one says that one will do is a promise without a date, too.
_ME = re.compile(
    r"^(?:I(?:'ll| will|’ll) |Я (?=(?:по|с|на|от|при|за|вы|у|про|пере|раз|рас|об|из)[а-яё]{3,}[ую] ))(?P<verb>(?!see|"
    r"think|say|guess|assume|считаю|понимаю|уверен|сомнев|наде|согла|предпол|узнаю)\w{3,})"
)
_ASKED = re.compile(rf"^(?P<who>{cues.NAMES}), (?:can|could|would|will) you (?:please )?(?P<verb>[a-z]{{2,}})")
_TOLD = re.compile(rf"^(?P<who>{cues.NAMES})(?: ?[:–—] ?)(?:to )?[a-zа-яё]")
_WE = re.compile(
    r"^(?:[Ww]e|[Ии] мы|[Мм]ы|I|Я)\s+(?:will|shall|must|need to|have to|promise(?:d)? to|commit(?:ted)? to|"
    r"'ll)\s+(?P<verb>\w+)"
)
_INTRANSITIVE = frozenset(["be", "have", "become", "remain", "depend", "mean", "include", "apply"])
_LEAST_SAID = 2
_OTHERS = frozenset(["you", "he", "she", "they"])
_TRIM = " \t,;:.–—-([*_"


@dataclass(frozen=True)
class _Parsed:
    who: str | None
    what: str
    when: WrittenDate | None
    state: str | None


def is_labelled(unit: Unit) -> bool:
    """Tell whether a label says that the unit is an action."""
    return cues.LABELS[Section.ACTIONS].match(unit.text) is not None


def action_in(unit: Unit, known: Collection[str], today: date | None) -> ActionItem | None:
    """Return the action that a sentence or list item states. `known` are first words of names met so far."""
    text = unit.text
    label = cues.LABELS[Section.ACTIONS].match(text)
    listed = unit.form == "item" and (unit.section is Section.ACTIONS or unit.ticked is not None)
    if label or listed:
        parsed = parse(text[label.end() if label else 0 :], today, label["who"] if label else None)
    elif account := _ACCOUNT.match(text):
        body = text[account.end() :]
        asked = account.end() > account.end("n") + 1 or any(each.due for each in dates(body, today))
        parsed = parse(text, today) if asked and re.match(r"(?:please |to )?[a-zа-я]", body) else None
    else:
        parsed = _promise(text, known, today)
    if parsed is None or sum(map(str.isalnum, parsed.what)) < 3:
        return None
    state = parsed.state or ("x" if unit.ticked else None)
    return ActionItem(what=parsed.what, who=parsed.who, when=parsed.when, state=state, spans=[unit.span])


def parse(text: str, today: date | None, who: str | None = None) -> _Parsed | None:
    """Read "Ann to send the report by 12 March (status: open)" and the many like it."""
    begin, end = 0, len(text)
    state = _STATE.search(text)
    told = (state["labelled"] or state["bare"]).strip() if state else None
    if state and not text[state.end() :].strip(_TRIM + ")]"):
        end = state.start()
    if owner := _OWNER.search(text, 0, end):
        named = _names(owner["n"])
        who = who or named
        end = min(end, owner.start()) if owner.start() > 8 else end
    first = _ACCOUNT.match(text) or _WHO_FIRST.match(text)
    if first and who is None and not cues.is_nobody(next(filter(None, first.groupdict().values()))):
        who, begin = _first_name(first), first.end()
    when, end, who = _ending(text, begin, end, who, today)
    what = text[begin:end].strip(_TRIM)
    if what.count(")") > what.count("("):
        what = what.rstrip(")")
    return _Parsed(who, what, when, told) if what else None


def _ending(
    text: str, begin: int, end: int, who: str | None, today: date | None
) -> tuple[WrittenDate | None, int, str | None]:
    """Return the date, where what comes before it and the owner ends, and the owner."""
    found = [each for each in dates(text, today) if each.start >= begin]
    due = next((each for each in found if each.due), None)
    tail = _TAIL.search(text, begin, end)
    # Names and dates alone, after what is to be done.
    if tail and tail.start() > begin:
        inner = next(filter(None, tail.groups()))
        offset = text.index(inner, tail.start())
        named, dated, rest = _pieces(text, offset, offset + len(inner), found)
        if not rest:
            who, due, end = who or named, due or dated, tail.start()
    if due is None and found and not text[found[-1].end : end].strip(_TRIM + ")]"):
        due = found[-1]
    if due and begin < due.begin < end and not text[due.end : end].strip(_TRIM + ")]"):
        end = due.begin
    return (due.when if due else None), end, who


def _pieces(text: str, start: int, end: int, found: Sequence[Dated]) -> tuple[str | None, Dated | None, str]:
    """Split what stands in brackets into a name, a date and anything else."""
    inside = [each for each in found if start <= each.start and each.end <= end]
    rest = text[start:end]
    # Here "next week" is a date without a word before it.
    bare = dates(f"by {rest}") if not inside else []
    if bare and bare[0].end == len(rest.rstrip(_TRIM)) + len("by "):
        return None, bare[0], ""
    for each in reversed(inside):
        rest = rest[: max(0, each.begin - start)] + rest[each.end - start :]
    rest = rest.strip(_TRIM)
    if _OWNER_CASE.fullmatch(rest) and not cues.is_nobody(rest):
        return rest, (inside[0] if inside else None), ""
    return None, (inside[0] if inside else None), rest


def _promise(text: str, known: Collection[str], today: date | None) -> _Parsed | None:
    """Return what a sentence promises: somebody by name, or anybody by a date."""
    stripped = text.lstrip(' *_"“«')
    offset = len(text) - len(stripped)
    due = next((each for each in dates(text, today) if each.due), None)
    if ours := _WE.match(stripped) or _ME.match(stripped):
        if (due is None and ours.re is _WE) or ours["verb"] in _INTRANSITIVE:
            return None
        return _cut(text, offset + ours.start("verb"), due, None)
    if (asked := _ASKED.match(stripped)) and not cues.is_nobody(asked["who"]):
        return _cut(text, offset + asked.start("verb"), due, asked["who"])
    if due and (told := _TOLD.match(stripped)) and not cues.is_nobody(told["who"]):
        return parse(text, today)
    match = _SUBJECT.match(stripped) or _SUBJECT_RU.match(stripped)
    if match is None:
        return _in_prose(text, known, today)
    who = match["who"]
    verb = match.groupdict().get("verb") or match.groupdict().get("inf") or match["future"]
    if match.groupdict().get("not") or verb in _INTRANSITIVE or cues.is_nobody(who):
        return _in_prose(text, known, today)
    role = re.fullmatch(rf"{cues.ROLE}|{cues.ROLE_RU}", who) is not None
    named = _key(who) in known or (" " in who and not role and who.split()[1][:1].isupper())
    if not (role or named or due):
        return _in_prose(text, known, today)
    return _cut(
        text, offset + match.start() + stripped[match.start() :].index(verb, match.end("who") - match.start()), due, who
    )


def _in_prose(text: str, known: Collection[str], today: date | None) -> _Parsed | None:
    """Return what a clause promises or asks for: what is not certain only of those who are known."""
    for who, start, begin, verb, certain in prose.promises(text):
        if verb in _INTRANSITIVE or (who and cues.is_nobody(who) and who.casefold() not in _OTHERS):
            continue
        if not certain and not (who and (_key(who) in known or re.fullmatch(rf"{cues.ROLE}|{cues.OURS}", who))):
            continue
        due = next((each for each in dates(text, today) if each.due and each.begin > start), None)
        parsed = _cut(text, begin, due, who)
        # "Bob said that he would do that" says nothing by itself.
        if len(content(parsed.what)) >= _LEAST_SAID:
            return parsed
    return None


def _cut(text: str, begin: int, due: Dated | None, who: str | None) -> _Parsed:
    end = len(text)
    if due and due.begin > begin and not text[due.end :].strip(_TRIM + ")]"):
        end = due.begin
    return _Parsed(who, text[begin:end].strip(_TRIM), due.when if due else None, None)


def _first_name(match: re.Match[str]) -> str:
    groups = match.groupdict()
    return str(groups.get("n") or groups.get("b") or groups.get("p"))


def _names(found: str) -> str | None:
    """Return a match of names that was made without regard to case, cut to what is written as a name."""
    exact = re.match(cues.NAMES, found)
    return exact[0] if exact and not cues.is_nobody(exact[0]) else None


def _key(who: str) -> str:
    return re.sub(rf"^{cues.TITLES} ", "", who).lstrip("@").split()[0].casefold()
