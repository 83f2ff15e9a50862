"""Print what each function weighs with its layers, unzipped, and fail above AWS's limit.

`python -m infra.package_sizes [<built template>]`: `.aws-sam/build/template.yaml` after `make build`; without one, what
`almanac up` built for the local stack.
"""

import argparse
import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

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


def measure(built_template: Path) -> list[Package]:
    """Return every function's package as a built template names it; raises `FileNotFoundError` when one is missing."""
    is_record = built_template.suffix == ".json"
    document = json.loads(built_template.read_text())["document"] if is_record else template.load(built_template)
    layers = {
        name: _unzipped(built_template.parent / properties["ContentUri"])
        for name, properties in template.resources(document, "AWS::Serverless::LayerVersion").items()
    }
    return [
        Package(
            name,
            _unzipped(built_template.parent / properties["CodeUri"]),
            {layer["Ref"]: layers[layer["Ref"]] for layer in properties.get("Layers", [])},
        )
        for name, properties in template.resources(document, "AWS::Serverless::Function").items()
    ]


def _unzipped(package: Path) -> int:
    if package.is_dir():
        return packaging.unzipped_bytes(package)
    with zipfile.ZipFile(package) as archive:
        return sum(entry.file_size for entry in archive.infolist())


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
    local_build = template.ROOT / ".local" / "artifacts" / "build.json"
    parser.add_argument("built_template", type=Path, nargs="?", default=local_build)
    packages = measure(parser.parse_args().built_template)
    sys.stdout.write(table(packages) + "\n")
    heavy = [package.function for package in packages if package.total > LIMIT_BYTES]
    if heavy:
        sys.exit(f"above {LIMIT_BYTES // MEGABYTE} MB: {', '.join(heavy)}")


if __name__ == "__main__":
    main()
