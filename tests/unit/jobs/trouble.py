"""What befalls documents in every random course of events: messages out of turn, workers that die, the watchdog."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.unit.jobs.world import World


class Trouble(RuleBasedStateMachine):
    """Deliveries and deaths in the world that a machine makes for itself."""

    world: World

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
