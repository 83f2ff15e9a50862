"""Erasing a tenant, and a receipt of it."""
