"""What callers present to show who they are: opaque tokens of our own, and JSON Web Tokens of issuers."""
