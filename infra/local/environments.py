"""Virtual environments from pinned requirements, by uv where it works and by pip where it does not.

Standard library only and runnable as a script: it makes the environment that everything else runs in.
`python environments.py <directory> <requirements> ...` also takes `--project <path>` for an editable install.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

UV = "uv==0.13.8"
STAMP = ".almanac-installed"


class InstallError(Exception):
    """An environment could not be made; the text is the installer's own last words."""


def ensure(
    environment: Path, requirements: list[Path], project: Path | None = None, constraints: Path | None = None
) -> bool:
    """Make or renew an environment; returns whether anything was done. A half-made one is made again."""
    stamp = environment / STAMP
    wanted = _digest(requirements, project, constraints)
    if stamp.is_file() and stamp.read_text() == wanted and python_of(environment).exists():
        return False
    shutil.rmtree(environment, ignore_errors=True)
    arguments = [word for path in requirements for word in ("--requirement", str(path))]
    arguments += ["--constraint", str(constraints)] if constraints else []
    arguments += ["--editable", f"{project}[dev]"] if project else []
    if not _install_with_uv(environment, arguments):
        _install_with_pip(environment, arguments)
    stamp.write_text(wanted)
    return True


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def _install_with_uv(environment: Path, arguments: list[str]) -> bool:
    uv = _find_uv()
    if uv is None:
        return False
    _run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    command = [str(uv), "pip", "install", "--quiet", "--python", str(python_of(environment)), *arguments]
    return subprocess.run(command, env=_uv_environment(uv), capture_output=True, check=False).returncode == 0  # noqa: S603


def _install_with_pip(environment: Path, arguments: list[str]) -> None:
    """Slower, but pip reads the machine's own settings (a company's index, a proxy) as they are meant."""
    _run([sys.executable, "-m", "venv", "--clear", str(environment)])
    pip = [str(python_of(environment)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *arguments])


def _find_uv() -> Path | None:
    """Return uv's path, installing it into an environment of its own when the machine has none."""
    found = shutil.which("uv")
    if found:
        return Path(found)
    home = Path(__file__).resolve().parents[2] / ".local" / "tools" / "uv"
    uv = home / "bin" / "uv"
    if not uv.exists():
        try:
            _run([sys.executable, "-m", "venv", "--clear", str(home)])
            _run([str(python_of(home)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV])
        except InstallError:
            return None
    return uv


def _uv_environment(uv: Path) -> dict[str, str]:
    """Return the environment with pip's index settings in uv's words: uv reads none of pip's files."""
    environment = dict(os.environ)
    python = uv.with_name("python")
    if not python.exists():
        return environment
    listing = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)  # noqa: S603
    for line in listing.stdout.splitlines():
        name, _, value = line.partition("=")
        variable = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}.get(name.strip(":").rpartition(".")[2])
        if variable:
            environment.setdefault(variable, value.strip("'\""))
    return environment


def _run(command: list[str]) -> None:
    completed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own arguments)
    if completed.returncode != 0:
        last_words = "\n".join((completed.stderr or completed.stdout).strip().splitlines()[-8:])
        raise InstallError(f"{' '.join(command[:4])} ... failed:\n{last_words}")


def _digest(requirements: list[Path], project: Path | None, constraints: Path | None) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in [
        *requirements,
        *([constraints] if constraints else []),
        *([project / "pyproject.toml"] if project else []),
    ]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a virtual environment from pinned requirements.")
    parser.add_argument("environment", type=Path)
    parser.add_argument("--requirement", type=Path, action="append", default=[])
    parser.add_argument("--constraint", type=Path)
    parser.add_argument("--project", type=Path, help="install this project, editable, with its dev extra")
    arguments = parser.parse_args()
    try:
        ensure(arguments.environment, arguments.requirement, arguments.project, arguments.constraint)
    except (InstallError, OSError) as error:
        sys.exit(f"could not prepare {arguments.environment}: {error}")


if __name__ == "__main__":
    main()
