"""People: signing up and in through the user pool, their sessions, their passwords and second factors."""
