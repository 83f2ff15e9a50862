"""The arithmetic of a rate limit: calls are counted in windows, and the window before counts for what is left of it.

A bucket of `burst` calls that refills in `window` milliseconds. The calls of the last `window` are taken to be those of
the current one and, of the one before, the share that still lies within: DynamoDB can add to a counter whatever it is
at, so that one write spends, and what it answers says exactly where the caller stands. docs/limits.md has the bound.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_COUNTER = re.compile(r"\w+_(\d{13})")


@dataclass(frozen=True)
class Policy:
    """A bucket: `burst` calls at once, and all of them again after `window` milliseconds. `name` is for headers."""

    name: str
    burst: int
    window: int

    @classmethod
    def per_minute(cls, name: str, rate: int, burst: int) -> "Policy | None":
        """Return the bucket that refills with `rate` calls a minute; None where there is no limit."""
        if rate <= 0:
            return None
        size = max(1, burst or rate)
        return cls(name, size, max(1, math.ceil(size * 60_000 / rate)))


@dataclass(frozen=True)
class Bucket:
    """A policy for somebody: `owner` names whose calls an item counts."""

    owner: str
    policy: Policy

    def began(self, at: int) -> int:
        """Return when the window of a moment began, both in milliseconds since the epoch."""
        return at - at % self.policy.window

    def counter(self, at: int) -> str:
        """Return the attribute that counts the calls of a moment's window. Example: `usr_1_1767225600000`."""
        return f"{self.owner}_{self.began(at):013d}"

    def level(self, item: Mapping[str, Any], at: int) -> "Level":
        """Return where the bucket stands at a moment, as far as the item tells."""
        before = self.began(at) - self.policy.window
        return Level(self.policy, self.began(at), item.get(self.counter(at), 0), item.get(self.counter(before), 0))


@dataclass(frozen=True)
class Level:
    """Where a bucket stands: calls counted in the window that began at `began`, and in the one before."""

    policy: Policy
    began: int
    current: int
    before: int

    def left(self, at: int) -> int:
        """Return how many calls it holds, rounded down; below zero when more were counted than it held."""
        fading = self.before * (self.policy.window - (at - self.began))
        return (self.policy.window * (self.policy.burst - self.current) - fading) // self.policy.window

    def most(self, at: int) -> int:
        """Return below which count of the current window another call fits."""
        return self.left(at) + self.current

    def wait(self, at: int) -> int:
        """Return the milliseconds until another call fits, 0 when one does now."""
        if self.left(at) >= 1:
            return 0
        began, fading, rest = self.began, self.before, self.policy.burst - self.current
        if rest < 1:
            # What was counted by now has to fade in the window that follows.
            began, fading, rest = began + self.policy.window, self.current, self.policy.burst
        enough = self.policy.window - (rest - 1) * self.policy.window // fading
        return max(1, began + enough - at)

    def full(self, at: int) -> int:
        """Return the milliseconds until nothing that was counted counts any more."""
        ends = self.began + self.policy.window
        return max(0, (ends + self.policy.window if self.current else ends if self.before else at) - at)


def forgettable(item: Mapping[str, Any], before: int, limit: int) -> list[str]:
    """Return some counters of windows that began before a moment, at most `limit`."""
    found = []
    for name in item:
        match = _COUNTER.fullmatch(name)
        if match and int(match[1]) < before:
            found.append(name)
            if len(found) == limit:
                break
    return found
