"""What a heading says of the lines below it, in English and Russian."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from enum import StrEnum


class Section(StrEnum):
    """What the items of a section are."""

    ACTIONS = "actions"
    DECISIONS = "decisions"
    RISKS = "risks"
    QUESTIONS = "questions"
    MILESTONES = "milestones"
    PEOPLE = "people"
    DONE = "done"
    SUMMARY = "summary"


_TITLES: dict[Section, str] = {
    Section.ACTIONS: r"(?:open |new |next )?action(?: item)?s(?: (?:list|log|register|items|points|agreed))?|"
    r"action points?|next steps?|to[- ]?dos?(?: list)?|tasks?|follow[- ]?ups?|commitments?|задачи|поручения|действия|"
    r"следующие шаги|дальнейшие (?:шаги|действия)|план действий|список задач|обязательства",
    Section.DECISIONS: r"(?:key )?decisions?(?: (?:made|taken|log|register))?|resolutions?|agreements?|agreed|"
    r"(?:принятые )?решения|решили|постановили|договор[её]нности",
    Section.RISKS: r"(?:(?:key|main|top|project) )?risks?(?: (?:register|log|and mitigations?|and issues|assessment))?|"
    r"(?:основные )?риски(?: проекта)?|реестр рисков",
    Section.QUESTIONS: r"(?:open|outstanding|unresolved) (?:questions?|issues?|points?|items?)|questions?|"
    r"(?:открытые |нереш[её]нные )?вопросы",
    Section.MILESTONES: r"(?:(?:key|important|project) )?(?:milestones?|dates)(?: and (?:milestones?|dates|"
    r"deadlines))?|time ?lines?|schedule|deadlines|road ?map|project plan|вехи|ключевые (?:даты|вехи|сроки)|сроки|"
    r"график|календарный план|этапы(?: работ)?|план-график",
    Section.PEOPLE: r"attendees?|present|participants?|in attendance|apologies|attended(?: by)?|people|distribution|"
    r"присутствовали|присутствующие|участники|участвовали|отсутствовали",
    Section.DONE: r"(?:done|completed|closed|finished)(?: (?:actions?|items?|tasks?|since last (?:meeting|time|"
    r"week)))?|accomplishments|progress since (?:the )?last meeting|сделано|выполнено|завершено|закрытые (?:задачи|"
    r"вопросы)|готово",
    Section.SUMMARY: r"(?:executive )?summary|abstract|overview|tl;?dr|резюме|кратко|аннотация|краткое содержание|"
    r"краткие итоги",
}
_SECTIONS = {
    section: re.compile(rf"(?:\d{{1,2}}(?:\.\d{{1,2}})*[.)]?\s+|[IVX]{{1,4}}\.\s+)?(?:{titles})", re.IGNORECASE)
    for section, titles in _TITLES.items()
}


def section_of(title: str) -> Section | None:
    """Return the section that a heading begins; None for one of any other kind."""
    words = " ".join(title.strip(" \t*_#:：").split())
    return next((section for section, pattern in _SECTIONS.items() if pattern.fullmatch(words)), None)
