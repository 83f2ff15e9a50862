"""The documentation's pages and the files that they load, all from our own package: nothing comes from elsewhere."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from string import Template
from types import MappingProxyType

from almanac.web.app import VERSION

_PAGES = Path(__file__).parent / "pages"
_OURS = {"docs.js": "text/javascript", "redoc.css": "text/css"}
_THEIRS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
}

# Both readers style elements in place; ReDoc searches in a worker made from a blob. Scripts are ours alone.
PAGE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
)
# The pages ask for `?v=<version>`, so that a new version is a new address.
ASSET_HEADERS: Mapping[str, str] = MappingProxyType(
    {"cache-control": "public, max-age=86400", "vary": "accept-encoding"}
)


@dataclass(frozen=True)
class Asset:
    """One file: as it is, and compressed."""

    media_type: str
    body: bytes
    gzipped: bytes


@cache
def asset(name: str) -> Asset | None:
    """Return a file of the documentation, or None. Takes tens of milliseconds the first time: call it in a thread."""
    if name in _OURS:
        return _load(_PAGES / name, _OURS[name])
    if name in _THEIRS:
        return _load(_vendored() / name, _THEIRS[name])
    return None


@cache
def page(name: str) -> str:
    """Return one of the pages."""
    return Template((_PAGES / f"{name}.html").read_text()).substitute(version=VERSION)


def _load(path: Path, media_type: str) -> Asset:
    body = path.read_bytes()
    return Asset(media_type, body, gzip.compress(body, compresslevel=6, mtime=0))


def _vendored() -> Path:
    # The package carries the files; importing it would build things that are not needed here.
    spec = find_spec("fastapi_offline")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the console layer is missing: it carries Swagger UI and ReDoc")
    return Path(spec.submodule_search_locations[0]) / "static"
