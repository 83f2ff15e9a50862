"""The outline of source code from its syntax tree: cut between definitions, the outermost first."""

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from almanac.text.outline import Outline, Scope, lines_of

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree

MAX_LENGTH = 256 * 1024
"""Longer text is outlined by its indentation: some grammars need quadratic time on hostile input."""

_MAX_DEPTH = 16
_GRAMMARS = {
    "bash": ("tree_sitter_bash", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "css": ("tree_sitter_css", "language"),
    "go": ("tree_sitter_go", "language"),
    "html": ("tree_sitter_html", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "json": ("tree_sitter_json", "language"),
    "kotlin": ("tree_sitter_kotlin", "language"),
    "lua": ("tree_sitter_lua", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "python": ("tree_sitter_python", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "scala": ("tree_sitter_scala", "language"),
    "swift": ("tree_sitter_swift", "language"),
    "toml": ("tree_sitter_toml", "language"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "yaml": ("tree_sitter_yaml", "language"),
}
LANGUAGES = frozenset(_GRAMMARS)

_BODY = re.compile(r"(?:block|body|_list|members|suite)\Z")
_LEADING = re.compile(r"comment|attribute|annotation|decorator|modifiers")
_NAMED = re.compile(
    r"function|method|class|struct|interface|enum|impl|module|mod_|trait|namespace|object|type|constructor|declarat"
    r"|definition|protocol|extension|pair|record"
)
_NAME_FIELDS = ("name", "key", "type", "declarator")


def syntax(text: str, language: str, whole: int) -> Outline | None:
    """Outline code of one of `LANGUAGES`; parts up to `whole` bytes are not looked into.

    None when the text is too long, or its grammar too ambiguous for it, to be parsed in bounded time. The bound counts
    the parser's steps, never seconds, so that the answer depends on the text alone.
    """
    if len(text) > MAX_LENGTH:
        return None
    data = text.encode("utf-8", "replace")
    tree = _parse(data, language)
    return _Walk(text, data, whole).outline(tree) if tree else None


@cache
def _language(name: str) -> "Language":
    from tree_sitter import Language

    module, function = _GRAMMARS[name]
    return Language(getattr(import_module(module), function)())


def _parse(data: bytes, language: str) -> "Tree | None":
    from tree_sitter import Parser

    # The parser calls back after each hundred steps; the hardest text of ordinary size needs one call in 8 bytes.
    calls_left = len(data) // 4 + 1000

    def is_over(_offset: int, _has_error: bool) -> bool:
        nonlocal calls_left
        calls_left -= 1
        return calls_left < 0

    try:
        return Parser(_language(language)).parse(
            lambda offset, _: data[offset : offset + 65536], progress_callback=is_over
        )
    except ValueError:  # "Parsing failed": stopped by the callback
        return None


class _Walk:
    """One walk over the big nodes of a tree."""

    def __init__(self, text: str, data: bytes, whole: int) -> None:
        self._whole = whole
        self._data = data
        self._lines = [start for start, _ in lines_of(text)]
        self._blank = [not line.strip() for _, line in lines_of(text)]
        self._length = len(text)
        self._cuts: dict[int, int] = {}
        self._scopes: list[Scope] = []

    def outline(self, tree: "Tree") -> Outline:
        pending = [(tree.root_node, 0, False)]
        while pending:
            node, depth, is_body = pending.pop()
            pending += self._children(node, depth, is_body)
        return Outline(self._cuts, sorted(self._scopes, key=lambda scope: (scope.start, -scope.end)))

    def _children(self, node: "Node", depth: int, is_body: bool) -> "list[tuple[Node, int, bool]]":
        """Cut before each child of a node; return the children to look into."""
        big = []
        glue_row = node.start_point.row if is_body else -1
        first = is_body
        for child in node.children:
            is_child_body = _BODY.search(child.type) is not None
            if child.is_named and not is_child_body:
                self._cut(child, depth, is_glued=first or child.start_point.row - 1 == glue_row)
                first = False
            glue_row = child.end_point.row if _LEADING.search(child.type) else -1
            if child.end_byte - child.start_byte > self._whole and depth < _MAX_DEPTH:
                self._enter(child)
                big.append((child, depth if is_child_body else depth + 1, is_child_body))
        return big

    def _cut(self, node: "Node", depth: int, *, is_glued: bool) -> None:
        row, column = node.start_point
        if row >= len(self._lines) or self._data[node.start_byte - column : node.start_byte].strip():
            return
        if self._data[node.start_byte : node.start_byte + 2].startswith((b")", b"]", b"}", b"</")):
            return
        level = 3 * depth + (2 if is_glued else 0 if row and self._blank[row - 1] else 1)
        position = self._lines[row]
        self._cuts[position] = min(level, self._cuts.get(position, level))

    def _enter(self, node: "Node") -> None:
        name = _name(node) if _NAMED.search(node.type) else ""
        if name:
            start, end = node.start_point.row, node.end_point.row + 1
            self._scopes.append(
                Scope(self._lines[start], self._lines[end] if end < len(self._lines) else self._length, name)
            )


def _name(node: "Node") -> str:
    for field in _NAME_FIELDS:
        found = node.child_by_field_name(field)
        if found is not None:
            if field == "declarator" and found.child_by_field_name("declarator"):
                return _name(found)
            return _text(found)
    found = next((child for child in node.named_children if "identifier" in child.type), None)
    return _text(found) if found else ""


def _text(node: "Node") -> str:
    return " ".join((node.text or b"")[:100].decode("utf-8", "ignore").strip("\"'").split())
