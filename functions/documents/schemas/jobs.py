"""What callers say of jobs."""

from pydantic import Field, SecretStr

from almanac.web.fields import Request


class Reprocess(Request):
    """How a document is to be read again. The password is kept, encrypted, until the job has ended, and no longer."""

    password: SecretStr | None = Field(
        default=None, min_length=1, max_length=256, description="What opens the file.", examples=["open sesame"]
    )
    ocr: bool = Field(default=False, description="Recognise the text in scans and pictures.", examples=[False])

    def secret(self) -> str | None:
        return self.password.get_secret_value() if self.password is not None else None
