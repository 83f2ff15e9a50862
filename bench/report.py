"""What every benchmark prints: Markdown with its method, its figures, and whether they hold.

A benchmark is `python -m bench.<name>`: Markdown on stdout, progress on stderr, exit status 1 when a target is missed.
"""

import math
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0..1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    return percentile(values, 0.5)


@dataclass
class Report:
    """One benchmark's section of docs/benchmarks.md."""

    title: str
    method: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    targets: list[tuple[str, str, bool]] = field(default_factory=list)

    def row(self, *cells: str) -> None:
        self.rows.append(cells)

    def target(self, text: str, measured: str, held: bool) -> None:
        """Record a promise, what was measured for it, and whether it holds."""
        self.targets.append((text, measured, held))

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", self.method, ""]
        lines += [_line(self.columns), _line(["---"] + ["---:"] * (len(self.columns) - 1))]
        lines += [_line(row) for row in self.rows]
        if self.targets:
            lines += ["", _line(["target", "measured", "held"]), _line(["---", "---:", "---"])]
            lines += [_line([text, measured, "yes" if held else "**no**"]) for text, measured, held in self.targets]
        return "\n".join(lines) + "\n"

    def finish(self) -> None:
        """Print the section and end the process: with status 1 when a target is missed."""
        print(self.markdown())
        sys.exit(0 if all(held for *_, held in self.targets) else 1)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """Describe where the figures were taken."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
