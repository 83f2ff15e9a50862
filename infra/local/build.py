"""From the checkout to zip files: `sam build` for this machine, then pruning, compiling and zipping.

Zips are named by a digest of what they are made from, so an unchanged layer is never finished or uploaded twice.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import packaging, template
from infra.local import environments
from infra.local.errors import LocalError
from infra.local.layout import (
    architecture,
    artifact_directory,
    build_directory,
    model_cache,
    python_runtime,
    tool_environment,
)

REQUIREMENTS = Path(__file__).with_name("requirements-sam.txt")
IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


@dataclass(frozen=True)
class Build:
    """A built template and the zip of each of its functions and layers. `digest` names the whole."""

    digest: str
    document: dict[str, Any]
    zips: dict[str, Path]


def install() -> bool:
    """Make SAM's environment; returns whether anything was done."""
    return environments.ensure(tool_environment("sam"), [REQUIREMENTS])


def source_digest() -> str:
    """Return a digest of everything that a deployment of this checkout is made from."""
    functions, layers = template.ROOT / "functions", template.ROOT / "layers"
    return _digest(
        [template.TEMPLATE, Path(packaging.__file__), Path(__file__), *_sources(functions), *_sources(layers)]
    )


def built() -> Build | None:
    """Return the last build when it was made from exactly these sources."""
    if not _record().is_file():
        return None
    record = json.loads(_record().read_text())
    zips = {name: Path(path) for name, path in record["zips"].items()}
    if record["digest"] != source_digest() or not all(path.is_file() for path in zips.values()):
        return None
    return Build(record["digest"], record["document"], zips)


def build() -> Build:
    """Run `sam build` and finish what it left; raises `LocalError` with SAM's own reason."""
    digest = source_digest()
    _sam_build()
    document = template.load(build_directory() / "template.yaml")
    zips: dict[str, Path] = {}
    by_source: dict[str, Path] = {}
    for name, (source, properties, field) in _artifacts(document).items():
        if source not in by_source:
            by_source[source] = _finished_zip(name, template.ROOT / source)
        zips[name] = by_source[source]
        properties[field] = str(zips[name])
    _forget_old_zips(set(zips.values()))
    _record().write_text(
        json.dumps({"digest": digest, "zips": {n: str(p) for n, p in zips.items()}, "document": document})
    )
    return Build(digest, document, zips)


def _record() -> Path:
    return artifact_directory() / "build.json"


def _sam_build() -> None:
    sam = tool_environment("sam") / "bin"
    command = [str(sam / "sam"), "build", "--cached", "--parallel", "--build-dir", str(build_directory())]
    command += ["--cache-dir", str(build_directory().with_name("build-cache")), "--parameter-overrides"]
    command += [f"PythonRuntime={python_runtime()}", f"Architecture={architecture()}", "Stage=local"]
    environment = {
        **os.environ,
        "PATH": f"{sam}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHON": str(sam / "python"),
        "LAYER_TARGET": "",
        "MODEL_CACHE": str(model_cache()),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    completed = subprocess.run(  # noqa: S603 (our own arguments)
        command, cwd=template.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if completed.returncode != 0:
        reason = "\n".join((completed.stdout + completed.stderr).strip().splitlines()[-12:])
        raise LocalError(f"sam build failed:\n{reason}", "Mend the cause above, then run 'almanac up' again.")


def _artifacts(document: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any], str]]:
    """Return, by logical id, the source directory of a function or layer and where the template names its package."""
    sources = template.load()
    shared_code = sources["Globals"]["Function"]["CodeUri"]
    found = {
        name: (properties.get("CodeUri", shared_code), document["Resources"][name]["Properties"], "CodeUri")
        for name, properties in template.resources(sources, "AWS::Serverless::Function").items()
    }
    for name, properties in template.resources(sources, "AWS::Serverless::LayerVersion").items():
        found[name] = (properties["ContentUri"], document["Resources"][name]["Properties"], "ContentUri")
    return found


def _finished_zip(name: str, source: Path) -> Path:
    """Return the finished package of a built function or layer, made now unless these sources were finished before."""
    digest = _digest([Path(packaging.__file__), *_sources(source)])
    target = artifact_directory() / f"{source.name}-{digest[:24]}.zip"
    built = build_directory() / name
    if not target.exists():
        packaging.finish(built, str(environments.python_of(tool_environment("sam"))))
        packaging.zip_directory(built, target)
    return target


def _forget_old_zips(current: set[Path]) -> None:
    for path in artifact_directory().iterdir():
        if path not in current and path != _record():
            path.unlink(missing_ok=True)


def _sources(directory: Path) -> Iterable[Path]:
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not IGNORED.intersection(path.parts):
            yield path


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256(f"{sys.version}{architecture()}".encode())
    for path in paths:
        digest.update(f"{path.relative_to(template.ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def clean() -> None:
    """Remove what was built; the tools stay."""
    for directory in (build_directory(), build_directory().with_name("build-cache"), artifact_directory()):
        shutil.rmtree(directory, ignore_errors=True)
