"""Deletion of documents, whatever state they are in, with a receipt of what was removed."""

from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.events import DeleteDocument, DeleteDocuments
from almanac.worker.batch import Deadline


async def run(message: DeleteDocument | DeleteDocuments, deadline: Deadline, table: Table, blobs: Blobs) -> None:
    """Remove a document that is hidden, or begin the deletion of all that were in a project or collection."""
    # What the API imports to begin a deletion needs none of this.
    from documents.deletion.cascade import Cascade
    from documents.deletion.removal import Removal

    if isinstance(message, DeleteDocument):
        await Removal(table, blobs, message, deadline).run()
    else:
        await Cascade(table, message, deadline).run()
