"""Resolve every pinned version again: `python -m infra.pins`.

layers/constraints.txt comes from pyproject.toml, the local tools' requirements from their `.in` files, and each layer's
requirements keep their names and comments and get the constraints' versions. Needs uv on the path or in `.local`.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from infra.template import ROOT

CONSTRAINTS = ROOT / "layers" / "constraints.txt"
TOOLS = ("ministack", "sam")
OLDEST_PYTHON = "3.11"
HEADER = "# Every version of {what}. 'make pins' writes this file again.\n"


def layer_requirements() -> list[Path]:
    return sorted((ROOT / "layers").glob("*/requirements.txt"))


def constraints() -> dict[str, str]:
    """Return the pinned version of every package by its normal name."""
    lines = (re.match(r"([a-z0-9][a-z0-9.-]*)==([^ ;]+)", line) for line in CONSTRAINTS.read_text().splitlines())
    return {match[1]: match[2] for match in lines if match}


def pinned(text: str, versions: dict[str, str]) -> str:
    """Return a requirements file with every requirement at its pinned version; raises `KeyError` for a new name."""
    return "".join(_pin(line, versions) for line in text.splitlines(keepends=True))


def _pin(line: str, versions: dict[str, str]) -> str:
    match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:==[^ ;\n]+)?(.*)", line)
    if match is None:
        return line
    if match[1].lower() not in versions:
        raise KeyError(f"{match[1]} is in a layer and not in {CONSTRAINTS.name}")
    return f"{match[1]}=={versions[match[1].lower()]}{match[2]}\n"


def _resolve(sources: list[str], target: Path, what: str, preferences: Path | None) -> None:
    bundled = ROOT / ".local" / "tools" / "uv" / "bin" / "uv"
    command = [str(bundled) if bundled.exists() else "uv", "pip", "compile", *sources, "--universal", "--quiet"]
    command += ["--python-version", OLDEST_PYTHON, "--no-header", "--no-annotate", "--no-emit-index-url"]
    if preferences is not None and preferences.exists():
        command += ["--constraint", str(preferences)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if completed.returncode != 0:
        sys.exit(completed.stderr)
    target.write_text(HEADER.format(what=what) + completed.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description="Resolve every pinned version again.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of keeping today's")
    keep = not parser.parse_args().upgrade
    project = ["pyproject.toml", "--extra", "dev"]
    _resolve(project, CONSTRAINTS, "the command, the functions and their tests", CONSTRAINTS if keep else None)
    for path in layer_requirements():
        path.write_text(pinned(path.read_text(), constraints()))
    for tool in TOOLS:
        target = ROOT / "infra" / "local" / f"requirements-{tool}.txt"
        _resolve([str(target.with_suffix(".in"))], target, f"the {tool} environment", target if keep else None)


if __name__ == "__main__":
    main()
