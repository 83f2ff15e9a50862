"""Print what each function weighs with its layers, unzipped, and fail above AWS's limit.

`python -m infra.package_sizes [<build directory>]`, after `sam build` and `infra.packaging`.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import packaging, template

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, in the 250 MB that AWS means.
LIMIT_BYTES = 250 * 1024 * 1024
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Package:
    """A function with its layers; sizes in bytes, unzipped."""

    function: str
    code: int
    layers: dict[str, int]

    @property
    def total(self) -> int:
        return self.code + sum(self.layers.values())


def measure(build: Path, document: dict[str, Any]) -> list[Package]:
    """Return every function's package as built; raises `FileNotFoundError` when one was not built."""
    sizes: dict[str, int] = {}

    def size(name: str) -> int:
        if name not in sizes:
            directory = build / name
            if not directory.is_dir():
                raise FileNotFoundError(f"{directory} is missing: run the build first")
            sizes[name] = packaging.unzipped_bytes(directory)
        return sizes[name]

    return [
        Package(name, size(name), {layer["Ref"]: size(layer["Ref"]) for layer in properties.get("Layers", [])})
        for name, properties in template.resources(document, "AWS::Serverless::Function").items()
    ]


def table(packages: list[Package]) -> str:
    """Return a Markdown table, the heaviest first, in megabytes."""
    lines = ["| function | code | layers | total (MB) |", "|---|---:|---|---:|"]
    for package in sorted(packages, key=lambda package: -package.total):
        layers = ", ".join(
            f"{name.removesuffix('Layer').lower()} {size / MEGABYTE:.1f}" for name, size in package.layers.items()
        )
        lines.append(
            f"| {package.function} | {package.code / MEGABYTE:.1f} | {layers} | {package.total / MEGABYTE:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the functions' sizes; fail above 250 MB.")
    parser.add_argument("build", type=Path, nargs="?", default=template.ROOT / ".local" / "build")
    packages = measure(parser.parse_args().build, template.load())
    sys.stdout.write(table(packages) + "\n")
    heavy = [package.function for package in packages if package.total > LIMIT_BYTES]
    if heavy:
        sys.exit(f"above {LIMIT_BYTES // MEGABYTE} MB: {', '.join(heavy)}")


if __name__ == "__main__":
    main()
