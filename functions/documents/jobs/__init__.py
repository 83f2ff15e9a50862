"""The job of a document: how the bytes of a version become searchable pages, whatever dies on the way.

`starting` begins and cancels jobs, in somebody's transaction. `driver` does what messages ask for. A job's whole state
is in the table: every step is one transaction that depends on the step before it, so each happens once.
"""
