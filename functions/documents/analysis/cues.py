"""The words by which things are known, in English and Russian."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re

from documents.analysis.sections import Section

# A name: capitalised words, a Russian surname with initials, or an account.
WORD = r"[^\W\d_a-zа-яё][\w'’\-]*"
NAME = (
    rf"(?:@[\w.\-]*\w|(?:[А-ЯЁ]\. ?){{1,2}}[А-ЯЁ][\w\-]+|[А-ЯЁ][\w\-]+ [А-ЯЁ]\. ?(?:[А-ЯЁ]\.)?|"
    rf"{WORD}(?: (?:{WORD}|de|"
    rf"van|von|der|la|da))?(?: {WORD})?)"
)
NAMES = rf"{NAME}(?:(?:, | and | & |, and | и |/| \+ ){NAME})*"
ROLE = (
    r"(?:[Tt]he )(?:[\w\-]+ ){0,2}(?:team|[Ss]upplier|[Cc]ontractor|[Vv]endor|[Cc]ustomer|[Cc]lient|[Cc]ompany|"
    r"[Pp]rovider|[Bb]uyer|[Ss]eller|[Ll]icensor|[Ll]icensee|[Cc]onsultant|[Pp]arties|[Dd]epartment|[Mm]anager|"
    r"[Cc]ommittee|[Bb]oard|[Ll]ead|[Oo]ffice)"
)
TITLES = r"(?:(?:Mr|Mrs|Ms|Dr|Prof)\.|Miss|Mr|Mrs|Ms|Dr|Prof|Sir|Dame)"
OURS = r"[Oo]ur (?:client|supplier|contractor|vendor|customer|landlord|tenant|lawyers?|team|office|company)"
ROLE_RU = (
    r"(?:Исполнитель|Заказчик|Поставщик|Подрядчик|Покупатель|Продавец|Стороны|Арендатор|Арендодатель|Лицензиар|"
    r"Лицензиат)"
)

LABELS: dict[Section, re.Pattern[str]] = {
    section: re.compile(
        rf"^[\s*_>#\[\"]*(?:{words})(?:\s*(?:#|№|no\.?)?\s*[A-Z]{{0,3}}-?\d{{1,4}})?(?:\s*\((?P<who>{NAMES}|"
        rf"@?[a-z][\w.\-]{{1,30}})\))?"
        r"[*_\]]*\s*(?::|[–—]|\s-)[*_]*\s*"
    )
    for section, words in {
        Section.ACTIONS: r"(?i:action(?: item)?|AI|to-?do|task|follow[- ]?up|задача|поручение|действие|сделать)",
        Section.DECISIONS: r"(?i:decision|decided|agreed|resolved|resolution|решение|решено|решили|постановили|"
        r"договорились)",
        Section.RISKS: r"(?i:risk|риск)",
        Section.QUESTIONS: r"(?i:(?:open )?question|open (?:issue|point)|unresolved|(?:открытый )?вопрос)",
        Section.MILESTONES: r"(?i:milestone|deadline|веха|дедлайн|контрольная точка)",
        Section.DONE: r"(?i:done|completed|closed|finished|сделано|выполнено|готово|закрыто|завершено)",
    }.items()
}

DECIDED = re.compile(
    r"\b(?:(?P<who>[Ww]e|[Tt]he (?:[\w\-]+ ){0,2}(?:team|board|committee|group|council|sponsor|client|customer|"
    r"officer|director|manager|management)|"
    + NAME
    + r")(?: have| has| all| also| jointly| unanimously)* (?:decided|agreed|resolved|approved|chose|opted|concluded)\b"
    r"(?! whether| if\b)|[Ii]t (?:was|has been) (?:decided|agreed|resolved|approved) (?:that|to|on)\b|"
    r"(?i:decision (?:was )?made (?:to|that))|\b[Ww]e(?: will|'ll|’ll| are going to)? (?:go|went|are going) (?:with|"
    r"for)\b)",
)
DECIDED_RU = re.compile(
    r"(?<!не )(?<!\w)(?:(?:[Мм]ы )?(?:[Рр]ешили|[Дд]оговорились|[Пп]остановили|[Оо]тказались|[Уу]твердили|"
    r"[Сс]огласовали|[Рр]ешено|[Пп]ринято решение|[Уу]тверждено(?!\s*:)|[Сс]огласовано(?!\s*:))|(?P<who>[Кк]омитет|"
    r"[Кк]оманда|[Сс]овет|[Зз]аказчик) (?:решил|решила|утвердил|утвердила|согласовал|согласовала|"
    r"постановил))(?!\w)(?!,? (?:ли|нет))"
)
UNDECIDED = re.compile(
    r"\b(?:not (?:yet )?(?:been )?(?:decided|agreed)|(?:un|to be )decided|no decision|to be agreed|if (?:we|it|"
    r"they) (?:decide|agree)|until (?:we|it|they) (?:decide|agree)|yet to (?:decide|agree))|не (?:решили|решено|"
    r"договорились|согласовано)",
    re.IGNORECASE,
)

_LEVEL = (
    r"(?:very (?:high|low|likely|unlikely)|medium[- ]high|medium[- ]low|extremely (?:high|low)|high|medium|moderate|"
    r"low|severe|critical|minor|major|negligible|significant|likely|unlikely|possible|rare|almost certain|"
    r"\d{1,3}(?:[.,]\d+)? ?%(?: ?[-–] ?\d{1,3} ?%)?|\d(?:[.,]\d)?(?: ?/ ?\d{1,2}| of \d{1,2})?|[HML]\b|"
    r"очень (?:высок|"
    r"низк)\w+|(?:высок|низк|средн|критическ|значительн|незначительн|умеренн|существенн)\w+)"
)
LIKELIHOOD = re.compile(
    rf"(?<!\w)(?:(?:likelihood|probability|chance|вероятность)(?: (?:of \w+ "
    rf")?is)?\s*[:=–—(\-]*\s*(?P<after>{_LEVEL})|"
    rf"(?P<before>{_LEVEL})[ -](?:likelihood|probability|chance|вероятность))",
    re.IGNORECASE,
)
IMPACT = re.compile(
    rf"(?<!\w)(?:(?:impact|severity|consequences?|влияние|воздействие|ущерб|последствия)(?: (?:would be|"
    rf"is))?\s*[:=–—(\-]*\s*(?P<after>{_LEVEL}|(?<=[:=–—] )[^.;,|()]{{3,80}})|(?P<before>{_LEVEL})[ -](?:impact|"
    rf"severity|влияние|воздействие|ущерб))",
    re.IGNORECASE,
)
MITIGATION = re.compile(
    r"(?<!\w)(?:mitigation|mitigated by|contingency|response|снижение|меры(?: снижения)?|"
    r"реагирование)\s*[:=–—]?\s*(?P<after>[^.;|()]{4,200})",
    re.IGNORECASE,
)
RISKY = re.compile(
    r"\b(?:(?:there is|there's|we see|we have|with) (?:an?|the|some|\w+) (?:\w+ )?risk (?:that|of)|the (?:main|"
    r"biggest|key|\w+) risk is|risks? (?:being|missing|losing|delaying|slipping)|is at risk|are at risk|"
    r"puts? \w+(?: \w+){0,4} at risk|(?:worry|concern|fear|danger)s?(?: is)?:? (?:that )?(?:[\w']+ ){1,6}(?:might|"
    r"may|could|"
    r"would|will)|(?:worried|concerned|afraid|warn(?:s|ed)|feared?) that|there (?:is|was) (?:an? |some |"
    r"the )?(?:\w+ )?"
    r"(?:concern|danger|fear|worry|chance) that|(?:might|may|could) (?:easily |well |still )?(?:not be (?:ready|"
    r"enough|"
    r"available|in time)|slip|be late|be delayed|fail|collapse|overrun|fall through|run out|break))|(?:есть|было|"
    r"имеется|"
    r"высказано) опасени[ея]|опаса(?:емся|юсь|ются|ется),? что|(?:есть|существует) (?:вероятность|"
    r"опасность),? что|(?:существует|есть|имеется|высок\w*|возникает) риск|(?:основной|главный) риск|"
    r"риск того, что|под угрозой",
    re.IGNORECASE,
)

OPEN = re.compile(
    r"(?<![\w-])(?:TBD|TBC|TBA|to be (?:decided|determined|confirmed|agreed|defined|clarified)|(?:not|"
    r"yet to be) (?:yet )?(?:been )?(?:decided|clear|known|agreed|confirmed|settled|resolved)|needs? (?:a|to make a) "
    r"decision (?:on|about)|(?:do not|don't|does not|doesn't) (?:yet )?know (?:yet )?(?:who|whether|which|when|"
    r"how|what|"
    r"if)|remains? (?:open|unclear|to be seen)|undecided|"
    r"unclear (?:whether|who|how|when|what|if)|уточняется|требует уточнения|нужно уточнить|надо уточнить|"
    r"будет уточнен\w*|не определ[её]н\w*|(?:ещ[её] )?не решен[оа]?|пока (?:неясно|непонятно|не ясно)|"
    r"остаётся открытым|под вопросом)(?!\w)",
    re.IGNORECASE,
)
MILESTONE = re.compile(
    r"\b(?:milestone|go[- ]live|goes live|launch(?:es|ed)?|kick[- ]?off|release[sd]?|roll[- ]?out|deadline|"
    r"sign[- ]off|cut[- ]?over|freeze|(?:phase|stage|sprint|pilot|beta|alpha|contract|agreement|project|work|"
    r"term) (?:\w+ )?(?:starts?|begins?|ends?|commences?|expires?|terminates?|closes?)|effective(?: date| as of|"
    r" from)|commencement date|expir(?:es|y)|delivery date|completion date|due date)\b|(?<!\w)(?:вех[аи]|запуск\w*|"
    r"релиз\w*|сдач[аи]|при[её]мк[аи]|начал[оа] (?:работ|проекта|эксплуатации)|окончани[ея]|завершени[ея]|"
    r"вступает в силу|ввод в эксплуатацию|срок действия|действует до|этап\w*)",
    re.IGNORECASE,
)

_DONE_WORD = (
    r"(?:completed?|finished|delivered|done|closed|resolved|implemented|shipped|sent|signed|deployed|merged|fixed|"
    r"released|published|handed over|paid|installed|migrated|launched|submitted|purchased|bought|ordered|booked|"
    r"reserved|hired|replaced|renewed|updated|upgraded|written|rewritten|translated|drafted|prepared|collected|"
    r"gathered|compiled|tested|measured|moved|removed|deleted|archived|cleaned up|tidied|documented|trained|"
    r"arranged|repaired|revised|redesigned|extended|registered|encrypted|appointed|notified|configured|set up)"
)
DONE = re.compile(
    rf"(?:(?:has|have) (?:now |already |since )?(?:been )?|(?:is|are|was|were) (?:now |already |successfully |"
    rf"all )*){_DONE_WORD}\b|^(?-i:{NAME}) (?:has )?(?:completed|finished|delivered|closed|resolved|implemented|"
    rf"shipped|sent|signed|deployed|fixed|submitted)\b"
    r"|[–—:-] (?:done|completed|closed|finished)\.?$|\((?:done|completed|closed)\)\.?$|✅|(?<!\w)(?:выполнен|"
    r"заверш[её]н|закончен|закрыт|отправлен|подписан|сдан|внедр[её]н|подготовлен|опубликован|установлен|развёрнут|"
    r"развернут|оплачен|исправлен)[аоы]?(?!\w)|(?<!\w)(?:готов[аоы]?|сделан[аоы]?)(?!\w)|(?<!\w)(?:выполнил|завершил|"
    r"закончил|закрыл|отправил|подписал|сдал|внедрил|подготовил|опубликовал|исправил)[аи]?(?!\w)",
    re.IGNORECASE,
)
NOT_DONE = re.compile(
    r"\b(?:not|never|n't|isn't|until|unless|when|once|if|before|must be|should be|to be|will be|shall be|can be|"
    r"may be|after|as soon as|only)\b|(?<!\w)(?:не|должн[аоы]?|должен|будет|будут|если|после|когда|пока|быть)(?!\w)",
    re.IGNORECASE,
)
DROPPED = re.compile(
    r"\b(?:(?:is|are|was|were|has been|have been|been) (?:now )?(?:cancell?ed|dropped|abandoned|descoped|postponed|"
    r"deferred|put on hold|withdrawn|scrapped)|no longer (?:needed|planned|required|part of|going|be)|will not (?:be|"
    r"do|go|ship|deliver|build|happen|proceed|\w+)|won't (?:be|do|go|\w+)|(?:we|team|board|committee) (?:cancell?ed|"
    r"dropped|abandoned|postponed|deferred)|(?:decided|agreed) (?:not to|against|to (?:drop|cancel|postpone|defer|"
    r"abandon)))\b|(?<!\w)(?:отмен(?:ен|ён)[аоы]?|отменили|отложен[аоы]?|отложили|отказались|больше не (?:нужн|"
    r"планир|"
    r"требу)\w+|не будем|не будет|снят[аоы]? с плана|решили не)(?!\w)",
    re.IGNORECASE,
)

TO_MODELS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instructions?|prompts?|rules|guidelines|above|"
    r"previous|prior)\b|\b(?:system prompt|as an ai|language model|you are (?:now )?(?:an?|the) (?:ai|assistant|"
    r"model|"
    r"chatbot|helpful)|(?:assistant|model|ai|llm)(?: must| should| shall|, |:)|your (?:instructions|output|answer|"
    r"response) (?:must|should|shall|is)|respond (?:only )?with|output only|do not (?:mention|report|list|extract)|"
    r"(?:add|report|list|extract|record|include) (?:an?|the|this|these|following).{0,30}\b(?:action|decision|risk|"
    r"item|finding)s?\b.{0,60}(?:json|output|answer|result|:))|(?<!\w)(?:игнорируй\w*|забудь\w*|"
    r"не обращай\w* внимания).{0,40}(?:инструкц|указани|правил|выше|предыдущ)|(?<!\w)(?:ты (?:теперь )?(?:ассистент|"
    r"модель|ии)|системн\w+ (?:промпт|подсказк)\w*)",
    re.IGNORECASE,
)
"""Text that speaks to a language model instead of a reader."""

_NOBODY_WORDS = """
    someone somebody anyone anybody nobody please кто-то кто-нибудь никто
    it this that there they these those he she you i we all everyone everything nothing if when while what which who
    система приложение сервис это мы вы они он она оно все я the a an our their his her its each any no
    system application service module user users api software platform product server database page interface
    revenue cost costs price budget meeting project work data report section document agreement contract
    договор соглашение документ отчёт отчет проект срок этап задача решение встреча совещание настоящий данный
"""
_NOBODY = frozenset(_NOBODY_WORDS.split())
"""What begins a sentence and is nobody's name."""


def is_nobody(name: str) -> bool:
    """Tell whether what is written like a name is none."""
    words = name.split()
    return not words or (words[0].casefold() in _NOBODY and not re.fullmatch(rf"{ROLE}|{OURS}", name))
