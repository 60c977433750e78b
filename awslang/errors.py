"""The two ways in which the embedded AWS refuses."""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """An error that AWS itself would answer: its code, message and HTTP status.

    Where the API model gives the error further members, pass them as members
    (for example resourceName="x").
    """

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        for name, value in members.items():
            setattr(self, name, value)


class NotSupported(AwsError):
    """AWS can do this and the embedded AWS cannot: it says so by name and never pretends."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__("NotSupported", f"Not supported by the embedded AWS: {what}", status=501)
