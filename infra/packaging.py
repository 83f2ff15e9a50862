"""Finish what `sam build` built: drop what no function uses, compile the rest, and measure it.

`python -m infra.packaging <build directory> [--python <interpreter>]` is the step between `sam build` and `sam deploy`.
It changes nothing that a function can see but its speed: start-up without compiled files takes half as long again.
"""

import argparse
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

# botocore carries a model for each of AWS's services; these are the ones that functions call.
AWS_SERVICES = frozenset(
    {
        "apigatewaymanagementapi",
        "bedrock-runtime",
        "cognito-idp",
        "dynamodb",
        "kms",
        "lambda",
        "s3",
        "s3vectors",
        "secretsmanager",
        "sesv2",
        "sqs",
        "ssm",
        "sts",
    }
)

# Globs under a layer's python/ directory: tests, converters, and libraries that only other languages link with.
UNUSED = (
    "bin",
    "**/__pycache__",
    "numpy/**/tests",
    "numpy/f2py",
    "numpy/distutils",
    "numpy/typing/tests",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/random/lib",
    "onnxruntime/capi/libonnxruntime.so*",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "boto3/examples",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.c",
)

ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def finish(directory: Path, python: str) -> None:
    """Prune and compile one built function or layer, in place, for the given interpreter."""
    packages = directory / "python"
    code, runtime_path = (packages, "/opt/python") if packages.is_dir() else (directory, "/var/task")
    prune(code)
    if not any(code.rglob("*.py")):
        return
    # Unchecked: a deployed file never changes, so the import system need not even look at its source.
    options = ["-q", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(code), "-p", runtime_path]
    subprocess.run([python, "-m", "compileall", *options, str(code)], check=False)  # noqa: S603 (our own arguments)


def prune(code: Path) -> None:
    """Remove what `UNUSED` names, and every AWS service model but those in use."""
    for pattern in UNUSED:
        for path in list(code.glob(pattern)):
            _remove(path)
    models = code / "botocore" / "data"
    for path in models.iterdir() if models.is_dir() else ():
        if path.is_dir() and path.name not in AWS_SERVICES:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def files(directory: Path) -> Iterator[Path]:
    """Yield every file below a directory in a fixed order."""
    return iter(sorted(path for path in directory.rglob("*") if path.is_file()))


def unzipped_bytes(directory: Path) -> int:
    """Return what AWS counts against its limit: the sum of the file sizes."""
    return sum(path.stat().st_size for path in files(directory))


def zip_directory(directory: Path, target: Path, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Write a zip whose bytes depend on the files' names and contents alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(".part")
    with zipfile.ZipFile(aside, "w", compression, compresslevel=1) as archive:
        for path in files(directory):
            entry = zipfile.ZipInfo(str(path.relative_to(directory)), ZIP_TIME)
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            entry.compress_type = compression
            archive.writestr(entry, path.read_bytes())
    aside.replace(target)


def built_directories(build: Path) -> list[Path]:
    """Return the directory of every function and layer that `sam build` left."""
    return sorted(path for path in build.iterdir() if path.is_dir())


def main() -> None:
    parser = argparse.ArgumentParser(description="Prune and compile what sam build left.")
    parser.add_argument("build", type=Path, nargs="?", default=Path(".aws-sam/build"))
    parser.add_argument("--python", default=sys.executable, help="an interpreter of the functions' version")
    arguments = parser.parse_args()
    for directory in built_directories(arguments.build):
        finish(directory, arguments.python)


if __name__ == "__main__":
    main()
