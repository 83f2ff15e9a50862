"""Importing an archive into a new tenant."""
