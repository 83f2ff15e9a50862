"""Almanac's core layer: what every slice shares. Nothing here imports a slice."""
