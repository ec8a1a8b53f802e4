"""Errors of the nodestrap command, each with the exit code it ends in."""

from __future__ import annotations


class NodestrapError(Exception):
    """A failure nodestrap can explain: what happened, and how to fix it."""

    exit_code = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
