"""What a document says about its project: found in its text, checked against it, and compared between documents."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from almanac.events import AnalyseDocument
    from almanac.worker.batch import Deadline


async def run(message: "AnalyseDocument", deadline: "Deadline") -> str | None:
    """Analyse a revision whose parts are all read, and store what was found. Raises nothing; may be repeated.

    Returns a warning to be shown with the version where it did not succeed, or not for the whole document.
    """
    import asyncio

    from documents.analysis import wiring

    analyst = await asyncio.to_thread(wiring.analyst)
    return await analyst.run(message, deadline)
