"""E-mail addresses as invitations hold them: in lower case, and found by their hash."""

from hashlib import sha256


def canonical(email: str) -> str:
    """Return the form in which two spellings of an address are equal."""
    return email.strip().lower()


def address_sha256(email: str) -> str:
    """Return the text under which what concerns an address is stored."""
    return sha256(canonical(email).encode()).hexdigest()
