"""What ends a command."""

from __future__ import annotations


class CtlError(Exception):
    """The command failed; the text says at what and why. ``code`` is the exit code."""

    code = 1

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class CallError(CtlError):
    """The runtime refused a call, or did not answer. ``status`` is gRPC's name: ``NOT_FOUND``."""

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status
