"""What the client remembers between commands: where the API is, its key, and the webhook secrets it was shown.

`~/.config/almanac/config.toml`, or under `XDG_CONFIG_HOME`, or wherever `ALMANAC_CONFIG` says; readable by its owner
only. `ALMANAC_URL` and `ALMANAC_API_KEY` win over the file.
"""

import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from almanac_cli.errors import CliError, Exit


@dataclass
class Config:
    """`webhooks` maps a repository's id to the secret that it was connected with."""

    url: str = ""
    api_key: str = ""
    tenant_id: str = ""
    webhooks: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path | None = None) -> "Config":
        """Read the file, if there is one, and the environment; raises `CliError` for a file that is not TOML."""
        file = file or path()
        try:
            read: dict[str, Any] = tomllib.loads(file.read_text())
        except FileNotFoundError:
            read = {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, PermissionError) as error:
            raise CliError(
                f"{file} cannot be read: {error}", "Mend or remove it, then 'almanac login'.", Exit.USAGE
            ) from None
        config = cls(
            url=str(read.get("url", "")),
            api_key=str(read.get("api_key", "")),
            tenant_id=str(read.get("tenant_id", "")),
            webhooks={str(name): str(secret) for name, secret in dict(read.get("webhooks", {})).items()},
        )
        config.url = os.environ.get("ALMANAC_URL") or config.url
        config.api_key = os.environ.get("ALMANAC_API_KEY") or config.api_key
        return config

    def save(self) -> None:
        """Replace the file in one step, never readable by others."""
        # JSON's strings are TOML's basic strings.
        lines = [f"{name} = {json.dumps(getattr(self, name))}" for name in ("url", "api_key", "tenant_id")]
        lines += ["", "[webhooks]", *(f"{json.dumps(name)} = {json.dumps(s)}" for name, s in self.webhooks.items())]
        target = path()
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(target.name + ".part")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        aside.replace(target)


def path() -> Path:
    """Return where the file is."""
    if given := os.environ.get("ALMANAC_CONFIG"):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "almanac" / "config.toml"
