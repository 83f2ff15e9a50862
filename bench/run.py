"""Run every benchmark and write docs/benchmarks.md; fails when one missed a target or did not run.

`python bench/run.py [--quick] [name ...]` runs all but `SEPARATE`, or those named: `webhook` is bench/webhook_bench.py.
The sections of the others stay as they are. `--quick` measures less, for a glance, and writes nothing.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
_SECTION = re.compile(r"<!-- (\w+) -->\n(.*?)(?=<!-- \w+ -->\n|\Z)", re.DOTALL)
SEPARATE = frozenset({"peers", "words"})
"""These install other products and build their indexes: only on demand, by `make bench-search`."""
_INTRODUCTION = """# Benchmarks

Written by `make bench`; each section says how it was measured. Ratios are of figures taken in one run on one machine.

Machine: {machine}.

"""


def names() -> list[str]:
    """Return the benchmarks: those without a stack first, since the stack's own processes disturb them."""
    order = [
        "import",
        "overhead",
        "auth",
        "wall",
        "webhook",
        "loop_watch",
        "embedding",
        "search",
        "peers",
        "words",
        "quality",
        "cost",
        "reading",
        "analysis",
        "freshness",
        "documents",
        "realtime",
        "sync",
        "package",
    ]
    found = {path.stem.removesuffix("_bench") for path in (ROOT / "bench").glob("*_bench.py")}
    return [name for name in order if name in found] + sorted(found - set(order))


def run(name: str) -> tuple[str | None, bool]:
    """Return a benchmark's section, None when it broke, and whether its targets hold."""
    paths = [str(ROOT / part) for part in ("layers/core", "functions", "cli", ".")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", f"bench.{name}_bench"]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    section = done.stdout[done.stdout.find("## ") :] if "## " in done.stdout else None
    return section, done.returncode == 0 and section is not None


def main() -> int:
    sys.path.insert(0, str(ROOT))
    from bench.report import machine

    quick = "--quick" in sys.argv
    if quick:
        os.environ["ALMANAC_BENCH_QUICK"] = "1"
    chosen = [name for name in sys.argv[1:] if name != "--quick"] or [n for n in names() if n not in SEPARATE]
    unknown = set(chosen) - set(names())
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    sections = {name: section.strip() for name, section in _SECTION.findall(text)}
    missed = []
    for name in chosen:
        section, held = run(name)
        if section is not None:
            sections[name] = section.strip()
            print(f"{section.strip()}\n", flush=True)
        if not held:
            missed.append(name)
    body = "".join(f"<!-- {name} -->\n{sections[name]}\n\n" for name in names() if name in sections)
    if not quick:
        DOCUMENT.write_text((_INTRODUCTION.format(machine=machine()) + body).rstrip() + "\n")
    if missed:
        print(f"missed a target or did not run: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
