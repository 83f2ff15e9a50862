"""`almanac`: the local stack and a client of the API, for people and scripts."""
