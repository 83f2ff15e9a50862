"""What befalls documents in every random course of events: messages out of turn, workers that die, the watchdog."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.unit.jobs.world import World, small


class Trouble(RuleBasedStateMachine):
    """A world with deliveries and deaths in it; `at_rest` is looked at when a course of events has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._held = ExitStack()
        directory = self._held.enter_context(TemporaryDirectory())
        self._held.enter_context(small())
        self._loop = asyncio.new_event_loop()
        self.world = World(Path(directory), self._loop)

    def at_rest(self) -> None:
        raise NotImplementedError

    @rule(place=st.integers(0, 50), times=st.integers(1, 6))
    def deliver(self, place: int, times: int) -> None:
        for _ in range(times):
            self.world.relay()
            if self.world.queue:
                self.world.sorted()
                self.world.deliver(place % len(self.world.queue))

    @rule(place=st.integers(0, 50), call=st.integers(1, 25), after=st.booleans(), lost=st.booleans())
    def die(self, place: int, call: int, after: bool, lost: bool) -> None:
        self.world.store.kill_at, self.world.store.kill_after_effect, self.world.lost = call, after, lost
        self.deliver(place, 1)
        self.world.store.revive()
        self.world.lost = False

    @rule()
    def watch(self) -> None:
        self.world.watch()

    def teardown(self) -> None:
        try:
            self.world.settle()
            self.at_rest()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            self._held.close()
