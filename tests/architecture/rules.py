"""The house's rules over source text. Each takes modules and returns one line, `file:line: problem`, per violation."""

import ast
import re
from collections.abc import Iterable

from tests.architecture.source import Module, docstrings, functions, imports

MODULE_LINES = 600
FUNCTION_LINES = 60

# Where the environment is read outside settings.py, and why it has to be.
READS_ENVIRONMENT = {
    "layers/core/almanac/settings.py": "the only reader",
    "layers/core/almanac/observability.py": "the trace header changes with every invocation",
    "functions/identity/authorizer.py": "a settings class would double its cold start",
    "functions/documents/reading/process.py": "hands its child a few harmless variables, and none of the others",
}
_WEB = {"fastapi", "starlette", "mangum"}
_AWS = {"boto3", "botocore", "aioboto3", "aiobotocore"}
_BANNED = {
    "repository": _WEB,
    **dict.fromkeys(("service", "services", "model", "models"), _WEB | _AWS),
}
_KEY = re.compile(r"[A-Z]{3,}#|^tenants/|^DUE#")


def imports_of_other_slices(source: Iterable[Module], slices: set[str]) -> list[str]:
    """A slice imports itself and almanac; almanac imports no slice."""
    return [
        module.at(node, f"{module.slice or 'almanac'} imports {name}: slices meet in almanac only")
        for module in source
        for node, name in imports(module)
        if name.partition(".")[0] in slices - {module.slice}
    ]


def relative_imports(source: Iterable[Module]) -> list[str]:
    """Names are whole, so that the rule above can be checked by reading them."""
    return [
        module.at(node, f"relative import {name}")
        for module in source
        for node, name in imports(module)
        if name.startswith(".")
    ]


def frameworks_in_the_core_of_a_slice(source: Iterable[Module]) -> list[str]:
    """Services and models know neither the web framework nor the AWS client; repositories know no HTTP."""
    return [
        module.at(node, f"a {module.stem} imports {name}")
        for module in source
        if module.slice
        for node, name in imports(module)
        if name.partition(".")[0] in _BANNED.get(module.stem, set())
    ]


def reads_of_the_environment(source: Iterable[Module]) -> list[str]:
    """Only settings read the environment."""
    found = []
    for module in source:
        if module.path in READS_ENVIRONMENT:
            continue
        for node in ast.walk(module.tree):
            named = isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
            imported = isinstance(node, ast.ImportFrom) and node.module == "os"
            taken = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            if named or (imported and taken & {"environ", "environb", "getenv"}):
                found.append(module.at(node, "reads the environment: take a setting"))
    return found


def keys_outside_keys(source: Iterable[Module]) -> list[str]:
    """No literal but those of almanac.aws.keys looks like a DynamoDB key or an S3 key of a tenant."""
    found = []
    for module in source:
        if "almanac/aws/keys/" in module.path:
            continue
        documentation = docstrings(module)
        for node in ast.walk(module.tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if _KEY.search(text) and id(node) not in documentation:
                found.append(module.at(node, f"spells a key: {text!r} belongs in almanac.aws.keys"))
    return found


def oversized(source: Iterable[Module]) -> list[str]:
    """A module has at most 600 lines and a function at most 60."""
    found = []
    for module in source:
        lines = module.text.count("\n")
        if lines > MODULE_LINES:
            found.append(f"{module.path}:1: {lines} lines, more than {MODULE_LINES}: it wants to be two modules")
        for function in functions(module):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > FUNCTION_LINES:
                problem = (
                    f"{function.name} has {length} lines, more than {FUNCTION_LINES}: it wants to be two functions"
                )
                found.append(module.at(function, problem))
    return found


def background_tasks(source: Iterable[Module]) -> list[str]:
    """Under Lambda they block the reply and lose failures."""
    return [
        module.at(node, "BackgroundTasks: put a message on a queue")
        for module in source
        for node, name in imports(module)
        if name.endswith(".BackgroundTasks")
    ]


def suppressions_without_reason(source: Iterable[Module]) -> list[str]:
    """A `noqa` or `type: ignore` names its rule."""
    bare = re.compile(r"#\s*(noqa(?!:)|type:\s*ignore(?!\[))")
    return [
        f"{module.path}:{number}: names no rule: {line.strip()}"
        for module in source
        for number, line in enumerate(module.text.splitlines(), 1)
        if bare.search(line) and "re.compile" not in line
    ]
