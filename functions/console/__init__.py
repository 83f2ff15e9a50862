"""The API's documentation and health."""
