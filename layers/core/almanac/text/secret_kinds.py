"""The kinds of secrets that are looked for, each with what must be in a text for its pattern to be tried.

A kind belongs here when its form alone tells it: issuers give tokens prefixes and checksums for that very purpose.
Anybody may write the text, so no pattern may take longer than in proportion to it: what repeats is bounded, or begins
only where a run of its characters does.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

_TOKEN = re.compile(r"[0-9A-Za-z_\-]{0,200}")
_LONGEST_KEY = 16_000
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Span = tuple[int, int, int]
"""Start, end, and how many characters at the start only tell the kind."""


def _always(_: str) -> bool:
    return True


@dataclass(frozen=True)
class Detector:
    """A kind with its patterns. One of `needles` is in every text that holds it; none: every text is looked at.

    `whole`: the match is a token, which reaches as far as its characters do. Else the last group is the secret, or the
    match where there is none. `accepts` has the last word on what was matched.
    """

    kind: str
    patterns: Sequence[re.Pattern[str]]
    needles: tuple[str, ...] = ()
    whole: bool = True
    accepts: Callable[[str], bool] = _always

    def may_be_in(self, text: str) -> bool:
        return not self.needles or any(needle in text for needle in self.needles)

    def find(self, text: str) -> Iterator[Span]:
        """Yield the places of the secrets."""
        for pattern in self.patterns:
            for match in pattern.finditer(text):
                start, end = match.span() if self.whole else match.span(match.lastindex or 0)
                if self.whole and _is_inside(text, start):
                    continue
                if self.whole and (tail := _TOKEN.match(text, end)):
                    end = tail.end()
                secret = text[start:end]
                if not _is_sample(secret) and self.accepts(secret):
                    yield start, end, self._kept(secret)

    def _kept(self, secret: str) -> int:
        return max((len(needle) for needle in self.needles if self.whole and secret.startswith(needle)), default=0)


@dataclass(frozen=True)
class PrivateKeys(Detector):
    """Whole keys in PEM, of which a pattern of the first line would find no more than that line."""

    def find(self, text: str) -> Iterator[Span]:
        ends = [match.start() for match in _END.finditer(text)]
        for pattern in self.patterns:
            for match in pattern.finditer(text):
                start = match.end()
                next_end = bisect_left(ends, start)
                if next_end < len(ends) and ends[next_end] <= start + _LONGEST_KEY:
                    end = ends[next_end]
                else:
                    # Its end is missing: what goes on as a key does is one.
                    goes_on = _BODY.match(text, start, start + _LONGEST_KEY)
                    end = goes_on.end() if goes_on else start
                if _BASE64.search(text, start, end):
                    yield start, end, 0


@dataclass(frozen=True)
class Assigned(Detector):
    """Random values in quotes behind a name that says what they are: `api_key = "..."`, `"token": "..."`.

    The values are looked for, and then the name before each: the other way round takes ten times as long.
    """

    def find(self, text: str) -> Iterator[Span]:
        for pattern in self.patterns:
            for match in pattern.finditer(text):
                before = text[max(0, match.start() - _NAME_REACH) : match.start()]
                if _SAYS_SECRET.search(before) and not _is_sample(match[1]) and self.accepts(match[1]):
                    yield *match.span(1), 0


_NAME_REACH = 48
_SAYS_SECRET = re.compile(
    r"(?:secret|token|passw(?:or)?d|pwd|api_?key|access_?key|auth_?key|credential)[\w\"'\]]{0,20}\s{0,4}(?::=|=>|[=:])\s{0,4}$",
    re.IGNORECASE,
)
_END = re.compile("-----END ")
_BODY = re.compile(r"(?:[0-9A-Za-z+/=\s\"',]|\\[nr])*")
_BASE64 = re.compile(r"[0-9A-Za-z+/=]{24,}")


def detectors() -> list[Detector]:
    """Return every kind. Imports detect-secrets, and with it requests: for a thread."""
    return [*_borrowed(), *_OWN]


def _borrowed() -> Iterator[Detector]:
    """Yield the kinds of detect-secrets whose patterns take a time in proportion to the text, whatever it is."""
    from detect_secrets.plugins import (
        aws,
        azure_storage_key,
        basic_auth,
        discord,
        github_token,
        gitlab_token,
        mailchimp,
        pypi_token,
        sendgrid,
        slack,
        square_oauth,
        stripe,
        telegram_token,
        twilio,
    )

    def of(plugin: Any) -> list[re.Pattern[str]]:
        return list(plugin().denylist)

    token, near_word = of(aws.AWSKeyDetector)
    yield Detector("aws_access_key", [token], ("AKIA", "ASIA", "ABIA", "ACCA", "A3T"), accepts=_has(20, 20))
    yield Detector("aws_secret_key", [near_word], ("aws", "AWS", "Aws"), whole=False)
    yield Detector("azure_storage_key", of(azure_storage_key.AzureStorageKeyDetector), ("AccountKey=",))
    yield Detector("password_in_url", of(basic_auth.BasicAuthDetector), ("://",), whole=False, accepts=_is_password)
    yield Detector("discord_token", of(discord.DiscordBotTokenDetector))
    yield Detector("github_token", of(github_token.GitHubTokenDetector), _GITHUB, accepts=_varies)
    yield Detector("gitlab_token", of(gitlab_token.GitLabTokenDetector), _GITLAB, accepts=_varies)
    yield Detector("mailchimp_key", of(mailchimp.MailchimpDetector), ("-us",), accepts=_is_scattered)
    yield Detector("pypi_token", of(pypi_token.PypiTokenDetector), ("pypi-AgE",))
    yield Detector("sendgrid_key", of(sendgrid.SendGridDetector), ("SG.",))
    yield Detector("slack_token", of(slack.SlackDetector), ("xox", "https://hooks.slack.com/services/"))
    yield Detector("square_secret", of(square_oauth.SquareOAuthDetector), ("sq0csp-",))
    yield Detector("stripe_key", of(stripe.StripeDetector), ("sk_live_", "rk_live_"))
    yield Detector("telegram_token", of(telegram_token.TelegramBotTokenDetector), accepts=_is_telegram)
    yield Detector("twilio_key", of(twilio.TwilioKeyDetector), accepts=_is_twilio)


def _is_jwt(token: str) -> bool:
    from detect_secrets.plugins.jwt import JwtTokenDetector

    return bool(JwtTokenDetector.is_formally_valid(token))


_GITHUB = ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")
_GITLAB = (
    *("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "GR1348941"),
    *("glcbt-", "glimt-", "glptt-", "glagent-", "gloas-"),
)


def _is_inside(text: str, start: int) -> bool:
    """Tell whether a match begins in the middle of a word: then it is a piece of something else."""
    return start > 0 and (text[start - 1].isalnum() or text[start - 1] in "_+") and text[start].isalnum()


def _is_sample(secret: str) -> bool:
    """Tell whether it is one of the documentation's own: `AKIAIOSFODNN7EXAMPLE`, `xxxxxxxx`, `********`."""
    return "EXAMPLE" in secret or "xxxxxx" in secret.lower() or len(set(secret)) < 3


def _has(least: int, most: int) -> Callable[[str], bool]:
    return lambda secret: least <= len(secret) <= most


def _is_scattered(secret: str) -> bool:
    return len(set(secret)) >= 12


def _varies(secret: str) -> bool:
    """Tell a random ending from `ghp_aaaaaaaa...` and from words joined by underscores."""
    ending = re.split(r"[_-]", secret, maxsplit=1)[-1]
    return len(set(ending)) >= 9 and any(letter.isdigit() for letter in ending)


def _is_password(secret: str) -> bool:
    """Tell a password from a place for one: `://user:password@`, `://user:{password}@`, `://user:%s@`."""
    if secret[0] in "{<%*[" or secret[-1] in "}>" or len(secret) < 6:
        return False
    return not _PLACEHOLDER.search(secret)


def _is_telegram(secret: str) -> bool:
    _, _, ending = secret.partition(":")
    return len(ending) == 35 and _mixes(ending)


def _is_twilio(secret: str) -> bool:
    return len(secret) == 34 and re.fullmatch("[0-9a-f]{32}", secret[2:]) is not None and _varies(secret)


def _mixes(secret: str) -> bool:
    return all(re.search(kind, secret) for kind in ("[a-z]", "[A-Z]", "[0-9]")) and len(set(secret)) >= 15


def _is_ours(token: str) -> bool:
    """Tell whether a token ends with the checksum that the identity slice gives its own."""
    number, checksum = crc32(token[:-6].encode()), ""
    for _ in range(6):
        number, remainder = divmod(number, 62)
        checksum = _BASE62[remainder] + checksum
    return token[-6:] == checksum


_PLACEHOLDER = re.compile(r"passw|passwd|^pass$|secret|token|user|your|example|change|foobar|hunter|xxx", re.IGNORECASE)


def _is_assigned(secret: str) -> bool:
    """Tell a random value from a name, a path, a hash, or a text with blanks."""
    if not _mixes(secret) or _PLACEHOLDER.search(secret) or re.fullmatch("[0-9a-fA-F-]+", secret):
        return False
    words = re.findall(r"[A-Z]?[a-z]{3,}", secret)
    return sum(map(len, words)) < len(secret) / 3 and sum(letter.isdigit() for letter in secret) >= 3


def _token(kind: str, pattern: str, *needles: str, accepts: Callable[[str], bool] = _varies) -> Detector:
    return Detector(kind, [re.compile(pattern)], needles, accepts=accepts)


_OWN: list[Detector] = [
    _token("almanac_token", r"alm[a-z]?_[0-9a-z]{26}_[0-9A-Za-z_]{0,100}[0-9A-Za-z]{49}", "alm", accepts=_is_ours),
    _token("almanac_webhook_secret", r"whs_[0-9A-Za-z_\-]{43}", "whs_"),
    PrivateKeys(
        "private_key",
        [re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")],
        ("PRIVATE KEY",),
    ),
    _token("github_token", r"github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}", "github_pat_"),
    _token("google_api_key", r"AIza[0-9A-Za-z_\-]{35}", "AIza"),
    # Begun nowhere but at a token's beginning: else each of many beginnings in one run would look through all of it.
    _token("jwt", r"(?<![\w=-])eyJ[\w=-]{8,}\.[\w=-]{4,}(?:\.[\w=-]+)?", "eyJ", accepts=_is_jwt),
    _token("openai_key", r"(?<![\w-])sk-[\w-]{20,200}T3BlbkFJ[\w-]{20,200}", "T3BlbkFJ"),
    Detector("npm_token", [re.compile(r":_authToken=\s{0,4}([0-9A-Fa-f-]{36})")], (":_authToken=",), whole=False),
    _token("openai_key", r"sk-(?:proj|svcacct|admin)-[0-9A-Za-z_\-]{40,}", "sk-proj-", "sk-svcacct-", "sk-admin-"),
    _token("anthropic_key", r"sk-ant-[a-z0-9]+-[0-9A-Za-z_\-]{40,}", "sk-ant-"),
    _token("huggingface_token", r"hf_[0-9A-Za-z]{34}", "hf_"),
    _token("stripe_key", r"whsec_[0-9A-Za-z]{32,}", "whsec_"),
    _token("slack_token", r"xapp-\d-[0-9A-Z]+-\d+-[0-9a-f]{32,}", "xapp-"),
    _token("npm_token", r"npm_[0-9A-Za-z]{36}", "npm_"),
    _token("digitalocean_token", r"do[opr]_v1_[0-9a-f]{64}", "do"),
    _token("shopify_token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", "shp"),
    _token("vault_token", r"hvs\.[0-9A-Za-z_\-]{24,}", "hvs."),
    _token("age_key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}", "AGE-SECRET-KEY-1"),
    Assigned("assigned_secret", [re.compile(r"[\"']([0-9A-Za-z+/=_.!@#$%^&*\-]{20,200})[\"']")], accepts=_is_assigned),
]
