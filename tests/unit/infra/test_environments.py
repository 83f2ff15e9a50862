from pathlib import Path

import pytest

from infra.local import environments


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text("# nothing\n")
    return path


def test_an_environment_is_made_once_and_made_again_when_its_requirements_change(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[str]] = []

    def install(environment: Path, arguments: list[str]) -> bool:
        python = environments.python_of(environment)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        made.append(arguments)
        return True

    monkeypatch.setattr(environments, "_install_with_uv", install)
    target = tmp_path / "environment"
    assert environments.ensure(target, [requirements]) is True
    assert environments.ensure(target, [requirements]) is False
    requirements.write_text("numpy==2\n")
    assert environments.ensure(target, [requirements]) is True
    assert len(made) == 2


def test_a_half_made_environment_is_made_again(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "environment"
    (target / "lib").mkdir(parents=True)

    def fail(_environment: Path, _arguments: list[str]) -> bool:
        raise environments.InstallError("the disk is full")

    monkeypatch.setattr(environments, "_install_with_uv", fail)
    with pytest.raises(environments.InstallError):
        environments.ensure(target, [requirements])
    assert not (target / environments.STAMP).exists()
    assert not (target / "lib").exists()


def test_pip_installs_where_uv_cannot(tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(environments, "_install_with_uv", lambda _environment, _arguments: False)

    def install(environment: Path, _arguments: list[str]) -> None:
        environment.mkdir()
        asked.append(environment)

    monkeypatch.setattr(environments, "_install_with_pip", install)
    environments.ensure(tmp_path / "environment", [requirements])
    assert asked == [tmp_path / "environment"]
