"""Exporting a tenant as an archive."""
