"""Settings: read once, typed, and a missing one fails at start by its name."""

import pytest

from almanac.events import Queue
from almanac.settings import BucketSettings, GitSettings, RelaySettings, SettingsError, TableSettings


class Example(TableSettings, BucketSettings, GitSettings):
    """A function's settings."""


COMPLETE = {"ALMANAC_STAGE": "prod", "ALMANAC_TABLE": "t", "ALMANAC_BUCKET": "b"}


def test_a_field_is_the_variable_of_its_name() -> None:
    settings = Example.load(COMPLETE | {"ALMANAC_ALLOW_PRIVATE_HOSTS": "true", "UNRELATED": "x"})
    assert (settings.stage, settings.table, settings.bucket) == ("prod", "t", "b")
    assert settings.allow_private_hosts is True


def test_every_missing_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as failed:
        Example.load({"ALMANAC_STAGE": "prod"})
    assert "ALMANAC_TABLE" in str(failed.value)
    assert "ALMANAC_BUCKET" in str(failed.value)


def test_an_empty_variable_counts_as_missing() -> None:
    with pytest.raises(SettingsError, match="ALMANAC_TABLE"):
        Example.load(COMPLETE | {"ALMANAC_TABLE": ""})
    assert Example.load(COMPLETE | {"ALMANAC_ALLOW_PRIVATE_HOSTS": ""}).allow_private_hosts is False


def test_a_bad_value_is_named_and_not_shown() -> None:
    with pytest.raises(SettingsError) as failed:
        Example.load(COMPLETE | {"ALMANAC_ALLOW_PRIVATE_HOSTS": "perhaps-a-secret"})
    assert "ALMANAC_ALLOW_PRIVATE_HOSTS" in str(failed.value)
    assert "perhaps-a-secret" not in str(failed.value)


def test_every_queue_has_an_address() -> None:
    urls = {f"ALMANAC_{queue.name}_QUEUE_URL": f"https://queues/{queue.value}" for queue in Queue}
    settings = RelaySettings.load(COMPLETE | urls)
    assert {queue: settings.queue_url(queue) for queue in Queue} == {
        queue: f"https://queues/{queue.value}" for queue in Queue
    }
