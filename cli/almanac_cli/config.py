"""What the client remembers between commands: where the API is, its key or session, the webhook secrets it was shown.

`~/.config/almanac/config.toml`, or under `XDG_CONFIG_HOME`, or wherever `ALMANAC_CONFIG` says; readable by its owner
only. `ALMANAC_URL` and `ALMANAC_API_KEY` win over the file.
"""

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from almanac_cli.errors import CliError, Exit


@dataclass(frozen=True)
class Session:
    """A person's sign-in: the access token is good until `expires_at` (seconds since the epoch)."""

    email: str
    access_token: str = field(repr=False)
    expires_at: int
    refresh_token: str = field(repr=False)


@dataclass
class Config:
    """Who calls is the key or, without one, the session; a session calls for the tenant `tenant_id`.

    `webhooks` maps a repository's id to the secret that it was connected with.
    """

    url: str = ""
    api_key: str = field(default="", repr=False)
    tenant_id: str = ""
    webhooks: dict[str, str] = field(default_factory=dict, repr=False)
    session: Session | None = None

    @classmethod
    def load(cls, file: Path | None = None) -> "Config":
        """Read the file, if there is one, and the environment; raises `CliError` for a file that is not TOML."""
        config = cls.stored(file)
        config.url = os.environ.get("ALMANAC_URL") or config.url
        config.api_key = os.environ.get("ALMANAC_API_KEY") or config.api_key
        return config

    @classmethod
    def stored(cls, file: Path | None = None) -> "Config":
        """Read the file alone: what is saved again must not hold what the environment says."""
        file = file or path()
        try:
            read: dict[str, Any] = tomllib.loads(file.read_text())
        except FileNotFoundError:
            read = {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, PermissionError) as error:
            raise CliError(
                f"{file} cannot be read: {error}", "Mend or remove it, then 'almanac login'.", Exit.USAGE
            ) from None
        return cls(
            url=str(read.get("url", "")),
            api_key=str(read.get("api_key", "")),
            tenant_id=str(read.get("tenant_id", "")),
            webhooks={str(name): str(secret) for name, secret in dict(read.get("webhooks", {})).items()},
            session=_session(dict(read.get("session", {}))),
        )

    def save(self) -> None:
        """Replace the file in one step, never readable by others."""
        # JSON's strings are TOML's basic strings.
        lines = [f"{name} = {json.dumps(getattr(self, name))}" for name in ("url", "api_key", "tenant_id")]
        if self.session is not None:
            lines += [
                "",
                "[session]",
                *(f"{name} = {json.dumps(value)}" for name, value in asdict(self.session).items()),
            ]
        lines += ["", "[webhooks]", *(f"{json.dumps(name)} = {json.dumps(s)}" for name, s in self.webhooks.items())]
        target = path()
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(target.name + ".part")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        aside.replace(target)


@contextmanager
def locked() -> Iterator[None]:
    """Keep other commands from changing the file until the block ends."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(target.with_name(target.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        # Where there is no such lock, two commands at once may both refresh: the API gives them the same token.
        with suppress(ImportError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _session(read: dict[str, Any]) -> Session | None:
    if not read.get("refresh_token"):
        return None
    return Session(
        email=str(read.get("email", "")),
        access_token=str(read.get("access_token", "")),
        expires_at=int(read.get("expires_at", 0)),
        refresh_token=str(read["refresh_token"]),
    )


def path() -> Path:
    """Return where the file is."""
    if given := os.environ.get("ALMANAC_CONFIG"):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "almanac" / "config.toml"
