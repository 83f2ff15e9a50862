"""The words that carry a question, told from those that only make it one."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from almanac.text.tokenize import analyze, terms

_STOP_WORDS = """
a about above actually after again all also always am an and any are aren't as at be because been before being below
between both but by can cannot can't could couldn't did didn't do does doesn't doing don't down during each either else
ever every everything exactly explain few find for from further generally get gets give given go goes going got had has
have having he help her here hers him his how however i i'd if i'll i'm in instead into is isn't it its itself i've just
kind know let let's like list lot many may maybe me mean means might mine more most much must my myself need needs
never no nor not of off often ok on once one only or other ought our ours out over own per perhaps please possible
really same say says see seem shall she should show so some someone something sometimes sort still such sure take tell
than that that's the their theirs them then there these they they're thing things this those though through to too try
under until up upon us use used uses using usually very want wants was way we well were what whatever what's when where
whether which while who whole whom whose why will with within without won't would yes yet you your yours
describe happen happens happened work works working called call named name deal handle handled look looks
а без более бы был была были было быть в вам вас ведь весь во вот все всё всего всех вы где да даже для до должен его её
ее ей если есть ещё еще же за здесь и из или им их к как какая какие какой какого каком каких какую когда кем ком кому
которая которое которые который ли либо между меня мне много может можно мой мы на над надо нам нас наш не него неё нее
нет ни них но ну нужно о об один одна она они оно от очень по под покажи пожалуйста после потом потому почему при про
просто раз расскажи с сам своего свой себе себя сейчас сколько со т та так также такая такие такое такой там твой те
тем то тогда того тоже только том тот ту тут ты у уж уже чего чей чем что чтобы чьё чья эта эти это этого этой этом этот
является являются я называется находится
"""
STOP_WORDS = frozenset(terms(_STOP_WORDS)) | frozenset(_STOP_WORDS.split())
# How rare a word is among some chunks says little when there are few: as if there were this many more without it.
_UNSEEN = 200


def content_terms(text: str) -> list[str]:
    """Return the distinct terms of a text that are not function words, in order of their first place."""
    return [term for term in dict.fromkeys(terms(text)) if term not in STOP_WORDS]


def content_words(text: str) -> dict[str, str]:
    """Return the words as they are written that a text's content terms stand for, by their first term, in order."""
    found: dict[str, str] = {}
    end = 0
    for token in analyze(text):
        if token.start >= end and token.term not in STOP_WORDS:
            found.setdefault(token.term, text[token.start : token.end])
            end = token.end
    return found


def rarities(wanted: Sequence[str], texts: Iterable[Iterable[str]]) -> dict[str, float]:
    """Return how much each term says, given the terms of the texts that were found."""
    bags = [frozenset(bag) for bag in texts]
    seen = Counter(term for bag in bags for term in wanted if term in bag)
    whole = len(bags) + _UNSEEN
    return {term: math.log1p((whole - seen[term] + 0.5) / (seen[term] + 0.5)) for term in wanted}


def coverage(weights: Mapping[str, float], bag: Iterable[str], around: Iterable[str] = (), share: float = 0.5) -> float:
    """Return which part of a question's weight a text covers, 0 to 1; terms that only stand around it count a share."""
    whole = sum(weights.values())
    if not whole:
        return 0.0
    inside, outside = frozenset(bag), frozenset(around)
    found = sum(
        weight * (1.0 if term in inside else share if term in outside else 0.0) for term, weight in weights.items()
    )
    return found / whole
