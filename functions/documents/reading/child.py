"""The process that opens files: `python -m documents.reading.child`, a request per line on its input, JSON lines out.

It never opens a file itself. It loads the parsers once, then forks for every request, so that each file is read by a
fresh process, within limits, without the cost of starting one; what one file does to its process touches no other.
Of a request come the lines {"started"}, then {"unit"}, {"bad"}, {"warning"}, {"probe"} or
{"trouble"}, and last {"exit"}.
"""

import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from documents.reading.units import Bad, Budget, Found, Task, Trouble, Unit, Warned

_SPARE_SECONDS = 2


def main() -> None:
    _load()
    for line in sys.stdin.buffer:
        process = os.fork()
        if process == 0:
            _serve(json.loads(line))
        _, status, usage = os.wait4(process, 0)
        _write({"exit": os.waitstatus_to_exitcode(status), "memory": usage.ru_maxrss * 1024})


def _load() -> None:
    """Import what takes long, before the first request."""
    import pypdfium2.raw  # noqa: F401

    from documents.reading import containers, office, parsing, pdf, pictures, pptx, xlsx  # noqa: F401


def _serve(request: dict[str, Any]) -> None:
    """Answer one request and end this process."""
    code = 1
    try:
        _write({"started": True})
        _confine(request)
        for line in _answers(request):
            _write(line)
        code = 0
    except MemoryError:
        _write({"trouble": {"code": "out_of_memory", "message": ""}})
        code = 0
    except Exception:  # noqa: BLE001 - a parser that stumbles must not leave by way of the parent's code
        traceback.print_exc()
    finally:
        os._exit(code)


def _confine(request: dict[str, Any]) -> None:
    limits = request["limits"]
    seconds = int(limits["seconds"]) + _SPARE_SECONDS
    for kind, limit in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, limits["expanded_bytes"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    errors = os.open(request["errors"], os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(nothing, 0)
    os.dup2(errors, 2)
    os.chdir(request["scratch"])


def _answers(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from documents.reading import parsing

    task = Task(
        path=Path(request["path"]),
        name=request["name"],
        scratch=Path(request["scratch"]),
        budget=Budget(request["limits"]),
        kind=request["media_type"],
        password=request["password"],
        first=request["first"],
        last=request["last"],
    )
    try:
        if request["media_type"] is None:
            media_type, unit, pages = parsing.probe(task)
            yield {"probe": {"media_type": media_type, "unit": unit, "pages": pages}}
            return
        for found in parsing.parse(task):
            yield _line(found)
    except Trouble as trouble:
        yield {"trouble": {"code": trouble.code, "message": trouble.message}}
    except RecursionError:
        yield {"trouble": {"code": "hostile", "message": "It is nested too deeply."}}


def _line(found: Found) -> dict[str, Any]:
    match found:
        case Unit():
            return {"unit": asdict(found)}
        case Bad():
            return {"bad": asdict(found)}
        case Warned():
            return {"warning": found.message}


def _write(line: dict[str, Any]) -> None:
    """Write a line whole; text that is no Unicode (lone surrogates) loses those characters."""
    data = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
