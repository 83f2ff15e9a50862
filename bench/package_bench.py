"""What every function weighs with its layers, as built for the local stack."""

from bench.report import Report, progress
from infra.local import build
from infra.package_sizes import LIMIT_BYTES, MEGABYTE, measure
from infra.template import ROOT


def main() -> None:
    if build.built() is None:
        progress("building functions and layers")
        build.install()
        build.build()
    packages = measure(ROOT / ".local" / "artifacts" / "build.json")
    report = Report(
        "Deployment packages",
        "Each function's code with all its layers, unzipped, as built for this machine.",
        ["function", "code (MB)", "with layers (MB)"],
    )
    for package in sorted(packages, key=lambda package: -package.total):
        report.row(package.function, f"{package.code / MEGABYTE:.1f}", f"{package.total / MEGABYTE:.1f}")
    heaviest = max(packages, key=lambda package: package.total)
    measured = f"{heaviest.total / MEGABYTE:.0f} MB ({heaviest.function})"
    report.target(f"all under {LIMIT_BYTES // MEGABYTE} MB", measured, heaviest.total < LIMIT_BYTES)
    report.finish()


if __name__ == "__main__":
    main()
