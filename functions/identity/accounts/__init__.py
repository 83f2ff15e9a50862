"""Service accounts: who machines are."""
