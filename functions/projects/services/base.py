"""What the services of one tenant share."""

from collections.abc import Awaitable, Callable
from typing import Any

from almanac.aws.transactions import Refused
from almanac.errors import AppError, Busy
from almanac.web.idempotency import Idempotent

Answer = dict[str, Any]


async def once(
    idempotent: Idempotent, create: Callable[[], Awaitable[Answer]], still: Callable[[Answer], Awaitable[None]]
) -> Answer:
    """Return what the first call with this key answered, or create; raises `IdempotencyKeyReused`.

    `create` writes the key's record in its own transaction, so of two calls at once only one creates. An earlier
    answer is only repeated to whom `still` lets see it.
    """
    earlier = await idempotent.earlier()
    if earlier is not None:
        await still(earlier)
        return earlier
    try:
        return await create()
    except (Refused, AppError) as error:
        earlier = await idempotent.earlier()
        if earlier is not None:
            await still(earlier)
            return earlier
        if isinstance(error, Refused):
            raise Busy from None
        raise
