"""What can go wrong on a laptop, said so that a person can act on it."""


class LocalError(Exception):
    """A problem of the local runtime: what happened, and the way out of it."""

    def __init__(self, problem: str, way_out: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.problem}\n{self.way_out}"


class NotRunning(LocalError):
    """What was asked for needs a running stack, and none runs."""
