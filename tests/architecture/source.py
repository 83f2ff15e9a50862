"""The repository's Python files as syntax trees, and where in them something stands."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = "functions"
CORE = "layers/core/almanac"


@dataclass(frozen=True)
class Module:
    """One file; `path` is relative to the repository."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "Module":
        return cls(path, text, ast.parse(text))

    @property
    def slice(self) -> str | None:
        """The slice that the file belongs to, or None."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == FUNCTIONS and len(parts) > 2 else None

    @property
    def stem(self) -> str:
        return Path(self.path).stem

    def at(self, node: ast.AST, problem: str) -> str:
        """Say where a problem is, as an editor reads it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {problem}"


@cache
def modules(*directories: str) -> tuple[Module, ...]:
    """Return every Python file under directories of the repository."""
    found = sorted(path for directory in directories for path in (ROOT / directory).rglob("*.py"))
    return tuple(Module.of(path.relative_to(ROOT).as_posix(), path.read_text()) for path in found)


def imports(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Iterate over (statement, dotted name) of everything that a module imports, at any depth."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, f"{'.' * node.level}{node.module or ''}.{alias.name}"


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Iterate over every function and method."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def docstrings(module: Module) -> set[int]:
    """Return the identities of the nodes that are docstrings."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
    return found
