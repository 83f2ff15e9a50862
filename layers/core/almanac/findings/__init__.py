"""Secrets that were found in content: what is remembered of them, which is never the secret itself."""
