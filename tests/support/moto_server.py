"""moto's server, which carries out one DynamoDB call at a time.

Its transactions work on the live table and, when a condition fails, put back a copy of the whole from before: what
others wrote meanwhile would be lost, and nobody outside could tell that from a race of ours.
"""

import sys
from threading import Lock
from typing import Any

from moto.core.common_models import BaseModel
from moto.dynamodb.responses import DynamoHandler
from moto.server import main

_one_at_a_time = Lock()
_call_action = DynamoHandler.call_action


def call_action(handler: DynamoHandler) -> Any:
    """Answer a call when the one before has been answered."""
    with _one_at_a_time:
        return _call_action(handler)


def create(cls: type[BaseModel], *_: Any, **__: Any) -> BaseModel:
    """Make an instance of a model, and remember it where a test asks for it."""
    instance: BaseModel = super(BaseModel, cls).__new__(cls)
    if cls.__module__.startswith("moto.ses."):
        cls.instances_tracked.append(instance)  # type: ignore[attr-defined]
    return instance


if __name__ == "__main__":
    BaseModel.__new__ = staticmethod(create)  # type: ignore[method-assign]
    DynamoHandler.call_action = call_action  # type: ignore[method-assign]
    main(sys.argv[1:])
