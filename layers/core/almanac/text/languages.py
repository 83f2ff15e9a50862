"""What a file is, from its name and bytes: its language, its text, or the reason why it is not read."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from enum import StrEnum
from pathlib import PurePosixPath

MAX_BYTES = 1_000_000

_EXTENSIONS = {
    "bash": "sh bash zsh ksh bats",
    "c": "c h",
    "cpp": "cc cpp cxx c++ hpp hh hxx h++ ipp inl cu cuh",
    "csharp": "cs csx",
    "css": "css scss less",
    "go": "go",
    "html": "html htm xhtml vue svelte",
    "java": "java",
    "javascript": "js mjs cjs jsx",
    "json": "json jsonc json5 geojson ipynb webmanifest",
    "kotlin": "kt kts",
    "lua": "lua",
    "markdown": "md markdown mdx mkd qmd",
    "php": "php phtml",
    "python": "py pyi pyw",
    "ruby": "rb rake gemspec ru",
    "rust": "rs",
    "scala": "scala sc sbt",
    "sql": "sql psql ddl",
    "swift": "swift",
    "text": "txt text rst adoc asciidoc org tex",
    "toml": "toml",
    "tsx": "tsx",
    "typescript": "ts mts cts",
    "xml": "xml xsd xsl xslt svg plist csproj",
    "yaml": "yaml yml",
}
_LANGUAGE_OF_EXTENSION = {extension: name for name, line in _EXTENSIONS.items() for extension in line.split()}
_LANGUAGE_OF_NAME = {
    "dockerfile": "dockerfile",
    "makefile": "makefile",
    "gnumakefile": "makefile",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "jenkinsfile": "groovy",
    "readme": "text",
    "license": "text",
    "copying": "text",
    "notice": "text",
    "changelog": "text",
    ".bashrc": "bash",
    ".profile": "bash",
    ".zshrc": "bash",
    "pipfile": "toml",
}
_LANGUAGE_OF_INTERPRETER = {
    "python": "python",
    "pypy": "python",
    "sh": "bash",
    "bash": "bash",
    "zsh": "bash",
    "dash": "bash",
    "ksh": "bash",
    "node": "javascript",
    "deno": "typescript",
    "bun": "javascript",
    "ruby": "ruby",
    "php": "php",
    "lua": "lua",
}
_SHEBANG = re.compile(r"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-\S+[ \t]+|\w+=\S+[ \t]+)*)?(?:\S*/)?([a-zA-Z]+)")

_LOCK_FILES = frozenset(
    {
        *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "cargo.lock"),
        *("poetry.lock", "pdm.lock", "uv.lock", "pipfile.lock", "gemfile.lock", "composer.lock", "go.sum", "mix.lock"),
        *("flake.lock", "packages.lock.json", "gradle.lockfile"),
    }
)
_LFS_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\r?\n(?:[a-z0-9.-]+ [^\n]*\n)*\Z")
# The marks that generators agreed on, at the start of a comment line near the top; a file that only speaks of them has
# them elsewhere.
_GENERATED = re.compile(
    r"^[ \t]*(?:#|//|/?\*+|--|;|%|<!--)[ \t]*(?:@generated\b|(?:[Cc]ode|[Ff]ile|[Tt]his file was) .*\b"
    r"generated\b.*\bDO NOT EDIT\b)",
    re.MULTILINE,
)
_MINIFIABLE = frozenset({"javascript", "css", "json", "html", "xml", "typescript"})
_MINIFIED_LINE = 400
_MINIFIED_SIZE = 4_000


class Skip(StrEnum):
    """Why a file is not searchable, as it is counted and shown."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    LFS_POINTER = "lfs_pointer"
    BINARY = "binary"
    MINIFIED = "minified"
    GENERATED = "generated"


def language_of(path: str, first_line: str = "") -> str | None:
    """Return the language by file name, else by the `#!` line, else None."""
    name = PurePosixPath(path).name.lower()
    if name in _LANGUAGE_OF_NAME:
        return _LANGUAGE_OF_NAME[name]
    stem, _, extension = name.rpartition(".")
    if stem and extension in _LANGUAGE_OF_EXTENSION:
        return _LANGUAGE_OF_EXTENSION[extension]
    if name.startswith(("dockerfile.", "makefile.")):
        return name.partition(".")[0]
    match = _SHEBANG.match(first_line)
    return _LANGUAGE_OF_INTERPRETER.get(match[1]) if match else None


def decode(content: bytes) -> tuple[str, str]:
    """Return the text and its encoding's name: by byte-order mark, else UTF-8, else Windows-1252, else Latin-1.

    Total: any bytes have a text. The mark is left out; line ends are kept.
    """
    if content.startswith(BOM_UTF8):
        return content[len(BOM_UTF8) :].decode("utf-8", "replace"), "utf-8"
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16", "replace"), "utf-16"
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "latin-1"


def is_binary(content: bytes) -> bool:
    """Tell whether the first 8,000 bytes hold a NUL (git's own rule) or over 5% control bytes."""
    head = content[:8000]
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return False
    if b"\0" in head:
        return True
    controls = len(head) - len(head.translate(None, bytes([*range(7), *range(14, 27), *range(28, 32), 127])))
    return controls * 20 > len(head)


def is_lfs_pointer(content: bytes) -> bool:
    """Tell whether the bytes are a Git LFS pointer, version 1, in place of the file itself."""
    return len(content) < 1024 and _LFS_POINTER.match(content) is not None and b"\noid sha256:" in content


def skip_reason(path: str, content: bytes, max_bytes: int = MAX_BYTES) -> Skip | None:
    """Return why the file should not be indexed, or None when it should."""
    if len(content) > max_bytes:
        return Skip.TOO_LARGE
    if is_lfs_pointer(content):
        return Skip.LFS_POINTER
    if is_binary(content):
        return Skip.BINARY
    text, _ = decode(content)
    if not text.strip():
        return Skip.EMPTY
    if _is_minified(path, text):
        return Skip.MINIFIED
    return Skip.GENERATED if _is_generated(path, text) else None


def _is_minified(path: str, text: str) -> bool:
    name = PurePosixPath(path).name.lower()
    if name.endswith((".min.js", ".min.css", ".min.mjs", ".js.map", ".css.map", ".mjs.map")):
        return True
    if len(text) < _MINIFIED_SIZE or language_of(path) not in _MINIFIABLE:
        return False
    return len(text) > _MINIFIED_LINE * (text.count("\n") + 1)


def _is_generated(path: str, text: str) -> bool:
    return PurePosixPath(path).name.lower() in _LOCK_FILES or _GENERATED.search(text[:2000]) is not None
