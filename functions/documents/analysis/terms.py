"""Words that statements are compared by: without case, endings and words that say nothing by themselves.

The stemmers of the search engine are compiled libraries that this function's layers do not hold; cutting endings is
enough to tell whether two sentences speak of the same thing.
"""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import math
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_ENGLISH = re.compile(
    r"(?:ization|isation|ational|ations?|ates?|ated|ating|ments?|ingly|edly|ings?|ness|ies|ied|ers?|ed|es|ly|al|s|e)$"
)
_CUTS = 3
_IRREGULAR_FORMS = """
    sent:send written:write wrote:write rewritten:rewrite rewrote:rewrite gave:give given:give took:take taken:take
    bought:buy built:build rebuilt:rebuild held:hold made:make found:find got:get paid:pay told:tell chosen:choose
    chose:choose drawn:draw drew:draw led:lead left:leave met:meet ran:run spent:spend begun:begin began:begin
    broken:break broke:break brought:bring kept:keep lost:lose sold:sell taught:teach won:win went:go gone:go
    withdrawn:withdraw withdrew:withdraw known:know knew:know shown:show spoken:speak spoke:speak thought:think
    understood:understand sought:seek undertook:undertake undertaken:undertake
"""
_IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR_FORMS.split())
_RUSSIAN = re.compile(
    r"(?:иями|ями|ами|ого|его|ому|ему|ыми|ими|ение|ения|ению|ением|ании|ание|ания|анию|ует|уют|ить|ать|ять|еть|ите|"
    r"ете|ил[аои]?|ал[аои]?|ял[аои]?|ишь|ит|ят|ат|ет|ют|ут|ен[аоы]?|ан[аоы]?|ый|ий|ой|ая|яя|ое|ее|ые|ие|ых|их|ым|им|ов|ев|ей|ам|"
    r"ям|ах|ях|ом|ем|ую|юю|[аеёиоуыьэюя])$"
)
_SOFTENED = re.compile(r"(?<=[бвмпф])л$")
_EMPTY_WORDS = """
    a about above after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing done down during each few for from further had has have having he her here hers him his
    how i if in into is it its itself just let me more most my no nor not now of off on once only or other our ours out
    over own per please same shall she should so some still such than that the their them then there these they this
    those through to too under until up us very was we were what when where which while who whom why will with within
    would yet you your must need needs new next via vs action item task todo decision risk question
    и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее её мне было вот от меня
    еще ещё нет о об из ему теперь когда даже ну ли если уже или ни быть был него до вас опять уж вам ведь там потом
    себя ничего ей может они тут где есть надо ней для мы тебя их чем была сам без будто чего раз тоже себе под будет
    тогда кто этот того потому этого какой ним здесь этом один мой тем чтобы нее сейчас были куда при эта это эти
    должен должна должны нужно необходимо задача риск решение вопрос
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


@lru_cache(maxsize=1 << 15)
def stem(word: str) -> str:
    """Return a word without its ending; at least three letters stay."""
    low = word.casefold().replace("ё", "е")
    if not low.isascii():
        match = _RUSSIAN.search(low, 3)
        # "обновить", "обновлен"
        return _SOFTENED.sub("", low[: match.start()]) if match else low
    low = _IRREGULAR.get(low, low)
    for _ in range(_CUTS):
        # "ordered" is cut to "order", and that as "order" itself is.
        match = _ENGLISH.search(low, 3)
        if match is None:
            break
        low = low[: match.start()]
    return low


def content(text: str) -> frozenset[str]:
    """Return the stems of the words that say something."""
    return frozenset(stem(word) for word in _WORD.findall(text) if len(word) > 1 and word.casefold() not in _EMPTY)


def rarity(texts: Iterable[Collection[str]]) -> dict[str, float]:
    """Return what each term is worth among statements, each given as its terms: the more, the fewer have it."""
    counts: dict[str, int] = {}
    total = 0
    for each in texts:
        total += 1
        for term in each:
            counts[term] = counts.get(term, 0) + 1
    return {term: math.log(1 + total / count) for term, count in counts.items()}


def alike(one: Collection[str], other: Collection[str], worth: Mapping[str, float]) -> float:
    """Return which part of the shorter statement's worth the other shares: 0 to 1."""
    weights = [sum(worth.get(term, 1.0) for term in terms) for terms in (one, other)]
    shared = sum(worth.get(term, 1.0) for term in set(one) & set(other))
    return shared / max(min(weights), 1e-9)
