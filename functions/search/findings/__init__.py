"""Secrets found in content, over HTTP: list them, judge them, have them purged."""
