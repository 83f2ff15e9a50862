"""Sets of queries with known answers, made from what is installed beside this interpreter.

Each set asks for the piece of text that a query was taken from, with the query taken out where it would give the
answer away: a docstring for its function, a heading for its section. Nothing is stored; the same installation gives
the same sets. Sets from elsewhere have the same form, as JSON (`read`).
"""

import ast
import json
import random
import re
import site
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from almanac.text.tokenize import terms

DOCUMENTS, QUERIES = 2000, 300
_PACKAGES = ("botocore", "cfnlint", "click", "dulwich", "hypothesis", "moto", "networkx", "pip", "requests", "urllib3")
_MODULES = ("asyncio", "collections", "concurrent", "email", "http", "importlib", "json", "logging", "unittest", "xml")
_FILLERS = ("config", "42", "default", "user_id", "7")
_WORD = re.compile(r"\b\w[\w.-]{4,40}\b")
PLAIN_WORD = re.compile(r"^[A-Z]?[a-z]{5,}$")
IDENTIFIER = re.compile(r"[a-z][A-Z]|[^\W_][_-][^\W_]|\d")
_SENTENCE = re.compile(r"(?<=[a-z)\]][.?!])\s+(?=[A-Z])")


@dataclass(frozen=True)
class QuerySet:
    """Texts by id, queries by id, and for each query the grades of the texts that answer it."""

    name: str
    corpus: dict[str, str]
    queries: dict[str, str]
    answers: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Function:
    """A function without its docstring and comments, and what can be asked about it."""

    id: str
    name: str
    code: str
    summary: str
    errors: tuple[str, ...]


def read(directory: Path) -> list[QuerySet]:
    """Return a directory's sets: `{"corpus": {id: text}, "queries": {id: text}, "qrels": {query: {id: grade}}}`."""
    found = []
    for file in sorted(directory.glob("*.json")):
        content = json.loads(file.read_text())
        found.append(QuerySet(file.stem, content["corpus"], content["queries"], content["qrels"]))
    return found


def generate() -> list[QuerySet]:
    """Return all sets that this installation gives, in a fixed order."""
    library = Path(sysconfig.get_paths()["stdlib"])
    packages = Path(site.getsitepackages()[0])
    sets = []
    for name, files in (("library", _library(library)), ("packages", _installed(packages))):
        found = _sample(list(functions(files)), DOCUMENTS)
        sets += [*_about_functions(name, found)]
    sets += _prose(library)
    sets.append(mixed("mixed", sets))
    sets.append(small("fifty", next(each for each in sets if each.name == "packages, docstring")))
    return sets


def functions(files: Iterable[tuple[str, Path]]) -> Iterator[Function]:
    """Return every function of three lines or more."""
    for path, file in files:
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (made := _function(path, node)):
                yield made


def mixed(name: str, sets: Sequence[QuerySet], queries: int = 60) -> QuerySet:
    """Put the texts of all sets into one corpus and ask a few queries of each."""
    corpus: dict[str, str] = {}
    asked: dict[str, str] = {}
    answers: dict[str, dict[str, int]] = {}
    for each in sets:
        scope = each.name.partition(",")[0]
        corpus |= {f"{scope}/{key}": text for key, text in each.corpus.items()}
        for key in _sample(list(each.queries), queries):
            asked[f"{each.name}/{key}"] = each.queries[key]
            answers[f"{each.name}/{key}"] = {f"{scope}/{answer}": g for answer, g in each.answers[key].items()}
    return QuerySet(name, corpus, asked, answers)


def small(name: str, one: QuerySet, size: int = 50) -> QuerySet:
    """Keep `size` texts that are answers, and their queries."""
    kept = set(_sample([max(each, key=each.__getitem__) for each in one.answers.values()], size))
    queries = {key: text for key, text in one.queries.items() if kept & set(one.answers[key])}
    answers = {key: {each: g for each, g in one.answers[key].items() if each in kept} for key in queries}
    return QuerySet(name, {key: one.corpus[key] for key in sorted(kept)}, queries, answers)


def keywords(name: str, corpus: dict[str, str], queries: int = QUERIES) -> QuerySet:
    """Ask for a text by two or three of its rarer words, in any order."""
    frequency = Counter(term for text in corpus.values() for term in set(terms(text)))
    choose = random.Random(name)
    asked: dict[str, str] = {}
    for key in _sample(list(corpus), 2 * queries):
        words = sorted({word for word in re.findall(r"[^\W\d_]{4,}", corpus[key]) if len(terms(word)) == 1})
        telling = [word for word in words if 2 <= frequency[terms(word)[0]] <= max(5, len(corpus) // 50)]
        if len(telling) >= 3 and len(asked) < queries:
            asked[key] = " ".join(choose.sample(telling, choose.randint(2, 3)))
    return QuerySet(name, corpus, asked, {key: {key: 1} for key in asked})


def mentions(name: str, corpus: dict[str, str], wanted: re.Pattern[str], queries: int = QUERIES) -> QuerySet:
    """Ask for the few texts that hold a word, wherever it stands: no more than three of them."""
    holders: dict[str, list[str]] = defaultdict(list)
    for key, text in corpus.items():
        for word in sorted({word for word in _WORD.findall(text) if wanted.search(word)}):
            holders[word].append(key)
    asked = _sample([word for word, keys in sorted(holders.items()) if len(keys) <= 3], queries)
    answers = {word: dict.fromkeys(holders[word], 1) for word in asked}
    return QuerySet(name, corpus, {word: word for word in asked}, answers)


def _function(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function | None:
    doc = ast.get_docstring(node) or ""
    errors = tuple(text for inner in ast.walk(node) if isinstance(inner, ast.Raise) for text in _messages(inner))
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]
    code = ast.unparse(node)
    if code.count("\n") < 2 or len(code) > 4000:
        return None
    return Function(f"{path}:{node.lineno}", node.name, code, " ".join(doc.partition("\n\n")[0].split())[:300], errors)


def _messages(raised: ast.Raise) -> Iterator[str]:
    """Return the messages of an exception as a user would see them, with something in place of each variable."""
    for argument in getattr(raised.exc, "args", []):
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            text = re.sub(r"%[sdr]|\{[^}]*\}", lambda m: _FILLERS[m.start() % len(_FILLERS)], argument.value)
        elif isinstance(argument, ast.JoinedStr):
            parts = enumerate(argument.values)
            text = "".join(str(p.value) if isinstance(p, ast.Constant) else _FILLERS[n % 5] for n, p in parts)
        else:
            continue
        if len(text.split()) >= 3:
            yield " ".join(text.split())


def _about_functions(name: str, found: Sequence[Function]) -> Iterator[QuerySet]:
    corpus = {each.id: each.code for each in found}
    yield _ask(f"{name}, docstring", corpus, found, lambda f: f.summary if len(f.summary.split()) >= 4 else "")
    yield _ask(f"{name}, name", corpus, found, lambda f: "" if f.name.startswith("__") or len(f.name) < 6 else f.name)
    yield _ask(f"{name}, error message", corpus, found, lambda f: f.errors[0] if f.errors else "")
    yield keywords(f"{name}, keywords", corpus)
    yield mentions(f"{name}, identifier", corpus, IDENTIFIER)


def _ask(name: str, corpus: dict[str, str], found: Sequence[Function], query: Callable[[Function], str]) -> QuerySet:
    """Ask each distinct query once; every function that it was made from is an answer."""
    owners: dict[str, list[str]] = defaultdict(list)
    for each in found:
        owners[query(each)].append(each.id)
    owners.pop("", None)
    chosen = _sample([text for text, ids in owners.items() if len(ids) <= 5], QUERIES)
    queries = {owners[text][0]: text for text in chosen}
    return QuerySet(name, corpus, queries, {key: dict.fromkeys(owners[text], 1) for key, text in queries.items()})


def _prose(library: Path) -> Iterator[QuerySet]:
    """Ask for the rest of a paragraph of the language's help, and of a docstring, by its first sentence."""
    from pydoc_data.topics import topics

    help_text = {name: text.split("\n\n") for name, text in sorted(topics.items())}
    docs = {path: _docstrings(file) for path, file in _library(library)}
    for name, texts in (("help", help_text), ("documentation", docs)):
        corpus, queries = {}, {}
        for source, paragraphs in texts.items():
            for number, paragraph in enumerate(paragraphs):
                first, *rest = _SENTENCE.split(" ".join(paragraph.split()), maxsplit=1)
                if rest and len(rest[0]) > 80 and 20 < len(first) < 300:
                    corpus[f"{source}#{number}"], queries[f"{source}#{number}"] = rest[0][:2000], first
        kept = _sample(list(corpus), DOCUMENTS)
        corpus = {key: corpus[key] for key in kept}
        asked = {key: queries[key] for key in _sample(kept, QUERIES)}
        yield QuerySet(f"{name}, first sentence", corpus, asked, {key: {key: 1} for key in asked})
        yield keywords(f"{name}, keywords", corpus)
        yield mentions(f"{name}, rare word", corpus, PLAIN_WORD)


def _docstrings(file: Path) -> list[str]:
    try:
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return [doc.replace("\n\n", "\n") for node in nodes if isinstance(node, kinds) and (doc := ast.get_docstring(node))]


def _library(root: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted([*root.glob("*.py"), *(f for name in _MODULES for f in root.glob(f"{name}/**/*.py"))]):
        yield file.relative_to(root).as_posix(), file


def _installed(root: Path) -> Iterator[tuple[str, Path]]:
    for package in _PACKAGES:
        for file in sorted(root.glob(f"{package}/**/*.py")):
            yield file.relative_to(root).as_posix(), file


def _sample(items: Sequence[Any], count: int) -> list[Any]:
    """Return up to `count` of the items in their order, the same ones every time."""
    chosen = sorted(random.Random(count).sample(range(len(items)), min(count, len(items))))
    return [items[place] for place in chosen]
