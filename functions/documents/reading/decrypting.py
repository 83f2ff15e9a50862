"""Office files behind a password."""

from pathlib import Path

from documents.reading.units import Task, Trouble


def decrypted(task: Task) -> Path:
    """Return a scratch file with what the password opens; raises `Trouble`."""
    if task.password is None:
        raise Trouble("encrypted")
    import msoffcrypto
    from msoffcrypto.exceptions import InvalidKeyError

    path = task.scratch_file()
    try:
        with task.path.open("rb") as sealed, path.open("wb") as clear:
            file = msoffcrypto.OfficeFile(sealed)
            file.load_key(password=task.password, verify_password=True)
            file.decrypt(clear)
    except InvalidKeyError:
        raise Trouble("wrong_password") from None
    except Exception:  # noqa: BLE001 - it raises whatever its parsers do
        raise Trouble("corrupt") from None
    return path
