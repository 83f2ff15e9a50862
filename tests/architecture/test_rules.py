"""The source keeps the house's rules, and every rule can fail."""

from collections.abc import Callable

import pytest

from tests.architecture import rules
from tests.architecture.source import CORE, FUNCTIONS, ROOT, Module, modules

PRODUCT = modules(FUNCTIONS, CORE)
EVERYTHING = modules(FUNCTIONS, CORE, "layers/model", "layers/documents", "infra", "cli", "bench", "tests")
SLICES = {path.name for path in (ROOT / FUNCTIONS).iterdir() if (path / "__init__.py").exists()}


def slices_rule(source: tuple[Module, ...]) -> list[str]:
    return rules.imports_of_other_slices(source, SLICES)


Rule = Callable[[tuple[Module, ...]], list[str]]


def test_there_is_something_to_check() -> None:
    assert {"identity", "console", "relay"} <= SLICES
    assert len(PRODUCT) > 30


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (slices_rule, PRODUCT),
        (rules.relative_imports, PRODUCT),
        (rules.frameworks_in_the_core_of_a_slice, PRODUCT),
        (rules.reads_of_the_environment, PRODUCT),
        (rules.keys_outside_keys, PRODUCT),
        (rules.background_tasks, PRODUCT),
        (rules.oversized, EVERYTHING),
        (rules.suppressions_without_reason, EVERYTHING),
    ],
)
def test_the_source_keeps_the_rule(rule: Rule, source: tuple[Module, ...]) -> None:
    violations = rule(source)
    assert not violations, "\n" + "\n".join(violations)


def test_every_exception_of_the_environment_rule_still_reads_it() -> None:
    by_path = {module.path: module for module in PRODUCT}
    assert [path for path in rules.READS_ENVIRONMENT if "os.environ" not in by_path[path].text] == []


@pytest.mark.parametrize(
    ("rule", "path", "text", "line"),
    [
        (slices_rule, "functions/identity/x.py", "import json\nimport relay.worker\n", 2),
        (slices_rule, "functions/identity/x.py", "def f():\n    from console import assets\n", 2),
        (slices_rule, f"{CORE}/x.py", "from identity.model import TenantRecord\n", 1),
        (rules.relative_imports, "functions/identity/x.py", "from . import model\n", 1),
        (rules.frameworks_in_the_core_of_a_slice, "functions/identity/service.py", "from fastapi import Query\n", 1),
        (rules.frameworks_in_the_core_of_a_slice, "functions/identity/model.py", "import boto3.session\n", 1),
        (rules.frameworks_in_the_core_of_a_slice, "functions/identity/repository.py", "import starlette\n", 1),
        (rules.reads_of_the_environment, "functions/identity/x.py", "import os\n\nos.environ['A']\n", 3),
        (rules.reads_of_the_environment, "functions/identity/x.py", "import os as o\no.getenv('A')\n", 2),
        (rules.reads_of_the_environment, f"{CORE}/x.py", "from os import environ\n", 1),
        (rules.keys_outside_keys, "functions/identity/x.py", "a = 1\npk = f'TENANT#{a}'\n", 2),
        (rules.keys_outside_keys, f"{CORE}/x.py", "key = 'tenants/' + 'x'\n", 1),
        (rules.keys_outside_keys, f"{CORE}/x.py", "prefix = 'LOG#'\n", 1),
        (rules.background_tasks, "functions/identity/x.py", "from fastapi import BackgroundTasks\n", 1),
        (rules.oversized, "functions/identity/x.py", "x = 1\n" * 601, 1),
        (rules.oversized, "functions/identity/x.py", "x = 1\ndef f():\n" + "    x = 1\n" * 60, 2),
        (rules.suppressions_without_reason, "functions/identity/x.py", "import os\nimport re  # no" + "qa\n", 2),
    ],
)
def test_a_rule_names_the_file_and_line_that_break_it(rule: Rule, path: str, text: str, line: int) -> None:
    (violation,) = rule((Module.of(path, text),))
    assert violation.startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (slices_rule, "functions/identity/x.py", "from almanac import ids\nfrom identity import model\n"),
        (rules.frameworks_in_the_core_of_a_slice, "functions/identity/routes.py", "from fastapi import Query\n"),
        (rules.keys_outside_keys, f"{CORE}/aws/keys/table.py", "pk = 'TENANT#'\n"),
        (rules.keys_outside_keys, "functions/identity/x.py", "'''A key: `TENANT#ten_1`.'''\npath = '/tenants/me'\n"),
        (rules.oversized, "functions/identity/x.py", "def f():\n" + "    x = 1\n" * 59),
    ],
)
def test_a_rule_lets_good_source_pass(rule: Rule, path: str, text: str) -> None:
    assert rule((Module.of(path, text),)) == []
