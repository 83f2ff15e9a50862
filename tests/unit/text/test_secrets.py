"""Secrets in texts: what is found, what is left alone, and what masking keeps."""

import base64
import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.index.sources import Kind, Source
from almanac.text.secrets import clean, clean_source, found_in, masked, preview, scan
from identity.tokens import api_keys, opaque

LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
HEX = "0123456789abcdef"


def some(length: int, letters: str = LETTERS, seed: int = 7) -> str:
    return "".join(Random(seed).choices(letters, k=length))


def a_jwt() -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "ES256", "typ": "JWT"}, {"sub": "ada", "exp": 1})]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), some(86)])


def a_key() -> str:
    lines = "\n".join(some(64, seed=seed) for seed in range(12))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"


# What a secret looks like, by its kind. They are made here: a real-looking one in a repository alarms its host.
SECRETS = {
    "aws_access_key": "AKIA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "azure_storage_key": "AccountKey=" + some(86) + "==",
    "github_token": "ghp_" + some(36),
    "gitlab_token": "glpat-" + some(20),
    "jwt": a_jwt(),
    "mailchimp_key": some(32, HEX) + "-us12",
    "openai_key": "sk-" + some(20) + "T3BlbkFJ" + some(20),
    "pypi_token": "pypi-AgEIcHlwaS5vcmc" + some(80),
    "sendgrid_key": f"SG.{some(22)}.{some(43)}",
    "slack_token": f"xoxb-{some(12, '123456789')}-{some(24, HEX)}",
    "stripe_key": "sk_live_" + some(24),
    "telegram_token": f"{some(9, '123456789')}:{some(35)}",
    "twilio_key": "SK" + some(32, HEX),
    "almanac_token": api_keys.create("ten_01k9zq3v7m8x2c4b6n0d1f5g7h"),
    "almanac_webhook_secret": "whs_" + some(43),
    "google_api_key": "AIza" + some(35),
    "anthropic_key": "sk-ant-api03-" + some(90),
    "huggingface_token": "hf_" + some(34),
    "npm_token": "npm_" + some(36),
    "vault_token": "hvs." + some(90),
}
IN_CONTEXT = {
    "aws_secret_key": (f'aws_secret_key = "{some(40)}"', some(40)),
    "password_in_url": ("postgres://app:K9f!tr8zq-Lw@db.internal/app".replace("!", "_"), "K9f_tr8zq-Lw"),
    "assigned_secret": (f'"client_secret": "{some(32)}"', some(32)),
    "private_key": (a_key(), a_key().split("\n", 1)[1].rsplit("\n", 1)[0]),
}
ORDINARY = [
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    'token_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    "id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    'secret_name = "projects/production/database-password"',
    "password = os.environ['DATABASE_PASSWORD']",
    'API_KEY = "your-api-key-goes-here-please"',
    "postgres://user:password@localhost/app",
    "https://{user}:{password}@example.org",
    "git@github.com:encode/starlette.git",
    "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
    "if b'-----BEGIN PRIVATE KEY-----' in body:",
    "ghp_ is what tokens begin with",
    "def alm_handler_that_has_a_long_name_and_returns_nothing_at_all_whatever_is_sent() -> None: ...",
    "token = secrets.token_urlsafe(32)",
    "integrity sha512-" + some(86) + "==",
]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_where_it_stands_and_masked_up_to_its_prefix(kind: str) -> None:
    secret = SECRETS[kind]
    text = f"first line\nuse {secret}, then\ngo on"
    (found,) = scan(text)
    assert (found.kind, text[found.start : found.end]) == (kind, secret)
    shown = masked(text, [found])
    assert len(shown) == len(text) and shown.startswith("first line\nuse ") and shown.endswith(", then\ngo on")
    assert secret[found.kept :] not in shown and set(shown[found.start + found.kept : found.end]) == {"*"}
    assert [each.line for each in found_in(text, [found])] == [2]


def test_a_token_in_the_path_of_an_address_is_found() -> None:
    secret = SECRETS["gitlab_token"]
    assert secret not in clean(f"https://git.example.org/api/{secret}/files")


@pytest.mark.parametrize("kind", IN_CONTEXT)
def test_of_a_secret_that_its_surroundings_tell_only_the_secret_is_masked(kind: str) -> None:
    text, secret = IN_CONTEXT[kind]
    (found,) = scan(text)
    assert found.kind == kind
    shown = clean(text)
    before, after = text.split(secret)
    assert shown.startswith(before) and shown.endswith(after)
    assert not any(line in shown for line in secret.split("\n"))
    assert shown.count("\n") == text.count("\n")


@pytest.mark.parametrize("text", ORDINARY)
def test_what_only_looks_random_is_left_alone(text: str) -> None:
    assert scan(text) == []


def test_a_token_of_ours_with_a_wrong_checksum_is_none() -> None:
    token = SECRETS["almanac_token"]
    assert opaque.is_whole(token)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert scan(f"use {wrong}") == []


def test_the_code_of_this_project_has_nothing_that_is_taken_for_a_secret() -> None:
    root = Path(__file__).parents[3]
    for folder in ("layers/core", "functions", "cli", "infra"):
        for path in (root / folder).rglob("*.py"):
            text = path.read_text()
            assert [text[f.start : f.end] for f in scan(text)] == [], path


def test_a_key_without_its_end_is_masked_as_far_as_it_goes_on() -> None:
    key = a_key().rsplit("\n", 1)[0]
    shown = clean(f"{key}\n\nAnd then we went home. Really!")
    assert not any(line in shown for line in key.split("\n")[1:])
    assert shown.endswith("Really!")


def test_a_key_written_as_one_string_is_masked() -> None:
    text = f'{{"private_key": "{a_key()}\\n"}}'.replace("\n", "\\n")
    shown = clean(text)
    assert not any(line in shown for line in a_key().split("\n")[1:-1])
    assert len(shown) == len(text)


_planted = st.sampled_from([*SECRETS.values(), *(text for text, _ in IN_CONTEXT.values())])
_plain = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(_plain, st.sampled_from([" ", "\n"]), _planted, st.sampled_from([" ", "\n"])), max_size=5))
def test_masking_keeps_length_and_lines_and_leaves_nothing_to_be_found(parts: list[tuple[str, str, str, str]]) -> None:
    text = "".join("".join(part) for part in parts)
    shown = clean(text)
    assert len(shown) == len(text)
    assert [at for at, letter in enumerate(shown) if letter == "\n"] == [
        at for at, letter in enumerate(text) if letter == "\n"
    ]
    assert scan(shown) == [] and clean(shown) == shown
    for secret in SECRETS.values():
        assert secret not in shown


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=500))
def test_text_without_secrets_is_returned_as_it_is(text: str) -> None:
    if not scan(text):
        assert clean(text) is text


def message(text: str, title: str) -> Source:
    return Source(
        source_id="message:msg_1",
        version=1,
        kind=Kind.MESSAGE,
        project_id="prj_1",
        container_id="chk_1",
        title=title,
        text=text,
    )


def test_a_title_shows_no_secret_even_where_it_cuts_one_off() -> None:
    secret = SECRETS["github_token"]
    text = f"The token is {secret} as of today"
    whole = clean_source(message(text, text))
    assert secret not in whole.source.title and secret not in whole.source.text
    assert [(each.kind, each.secret, each.line) for each in whole.secrets] == [("github_token", secret, 1)]
    cut = clean_source(message(text, f"The token is {secret[:20]}…"))
    assert secret[:20] not in cut.source.title and cut.source.title.endswith("*…")


def test_a_source_without_secrets_is_the_very_same() -> None:
    source = message("nothing here", "nothing here")
    assert clean_source(source).source is source


def test_a_preview_shows_no_beginning_of_a_secret_that_it_cuts_off() -> None:
    secret = SECRETS["github_token"]
    assert secret[4:20] not in preview(f"{'word ' * 10}{secret}", 70)
