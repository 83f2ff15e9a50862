"""What a password must be: the user pool's own policy, asked before the pool: all addresses are answered alike."""

SHORTEST = 12
LONGEST = 98
RULE = f"{SHORTEST} to {LONGEST} characters, with a lower-case letter, an upper-case letter and a digit among them"


def acceptable(password: str) -> str:
    """Return the password; raises `ValueError` that says what it lacks."""
    kinds = {
        "a lower-case letter": any("a" <= character <= "z" for character in password),
        "an upper-case letter": any("A" <= character <= "Z" for character in password),
        "a digit": any("0" <= character <= "9" for character in password),
    }
    missing = [kind for kind, there in kinds.items() if not there]
    if missing:
        raise ValueError(f"it needs {' and '.join(missing)}")
    if password != password.strip():
        raise ValueError("it must not begin or end with a blank")
    return password
