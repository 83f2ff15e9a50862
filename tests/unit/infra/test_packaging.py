import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra import package_sizes, packaging, pins
from infra.template import ROOT


def _write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("value = 1\n")


def test_pruning_keeps_the_services_in_use_and_drops_the_others(tmp_path: Path) -> None:
    _write(tmp_path, "botocore/data/sqs/2012/service.json", "botocore/data/ec2/2016/service.json")
    _write(tmp_path, "botocore/data/endpoints.json")
    packaging.prune(tmp_path)
    assert sorted(path.name for path in (tmp_path / "botocore/data").iterdir()) == ["endpoints.json", "sqs"]


def test_a_finished_layer_imports_from_its_compiled_files(tmp_path: Path) -> None:
    _write(tmp_path, "python/thing/__init__.py", "python/thing/tests/__pycache__/old.pyc")
    packaging.finish(tmp_path, sys.executable)
    (tmp_path / "python/thing/__init__.py").write_text("raise RuntimeError('the source was read')\n")
    command = [sys.executable, "-c", "import thing; print(thing.value)"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(tmp_path / "python")}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"


def test_equal_directories_give_equal_zips_whenever_they_were_written(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _write(tmp_path / name, "b.py", "a/c.py")
        packaging.zip_directory(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a/c.py", "b.py"]


def test_a_function_weighs_its_code_and_all_its_layers(tmp_path: Path) -> None:
    _write(tmp_path, "Code/app.py", "Layer/python/library.py")
    (tmp_path / "template.yaml").write_text(
        "Resources:\n"
        "  Api: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: Code, Layers: [!Ref Shared]}}\n"
        "  Shared: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: Layer}}\n"
    )
    (package,) = package_sizes.measure(tmp_path / "template.yaml")
    assert (package.function, package.code, package.layers, package.total) == ("Api", 10, {"Shared": 10}, 20)


def test_the_sizes_of_what_was_not_built_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        "Resources: {Api: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: Missing}}}\n"
    )
    with pytest.raises(FileNotFoundError):
        package_sizes.measure(tmp_path / "template.yaml")


@pytest.mark.parametrize("path", pins.layer_requirements(), ids=lambda path: path.parent.name)
def test_every_layer_has_the_versions_that_the_tests_run_with(path: Path) -> None:
    assert path.read_text() == pins.pinned(path.read_text(), pins.constraints())


def test_a_requirement_that_nothing_pins_is_an_error() -> None:
    with pytest.raises(KeyError, match="left-pad"):
        pins.pinned("left-pad\n", {"numpy": "2.4.6"})


def test_the_model_of_every_service_that_functions_call_is_kept() -> None:
    called = re.compile(r"(?:(?:[cC]lients(?:\(\))?|self)\.get\(|^SERVICE = )\"([a-z0-9-]+)\"", re.MULTILINE)
    source = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers" / "core").rglob("*.py")]
    services = {name for path in source for name in called.findall(path.read_text())}
    assert {"apigatewaymanagementapi", "cognito-idp", "dynamodb", "s3"} <= services <= packaging.AWS_SERVICES
