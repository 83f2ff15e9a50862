"""Tenants, their API keys, and the authorizer that tells who is calling."""
