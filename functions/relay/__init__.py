"""The relay: carries outbox items from the table's stream to their queues."""
