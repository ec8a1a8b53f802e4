"""Errors that end a command, each class with the exit code it stands for.

An error says what failed, on which host and in which step where there is one, why, and how to put it right
(``fix``). ``cli.main`` prints them; nothing else calls ``sys.exit``. The codes are the command's public
interface: scripts branch on them, so a code keeps its meaning.
"""

from __future__ import annotations

from typing import Any, Final

EXIT_OK: Final = 0
EXIT_UNEXPECTED: Final = 1
EXIT_USAGE: Final = 2
EXIT_CONNECT: Final = 3
EXIT_PREFLIGHT: Final = 4
EXIT_ARTIFACT: Final = 5
EXIT_CONVERGE: Final = 6
EXIT_VERIFY: Final = {"T0": 7, "T1": 8, "T2": 9, "T3": 10}
EXIT_LOCKED: Final = 11
EXIT_SICK: Final = 12  # the doctor found a cause
EXIT_INTERRUPTED: Final = 130


class NodestrapError(Exception):
    """Base of every expected failure. ``str(error)`` is the reason alone; ``render`` adds place and fix."""

    exit_code: int = EXIT_UNEXPECTED

    def __init__(
        self, reason: str, *, fix: str | None = None, host: str | None = None, step: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix
        self.host = host
        self.step = step

    def render(self) -> str:
        """The message for people: ``host: step: reason``, and the fix on a line of its own."""
        place = "".join(f"{part}: " for part in (self.host, self.step) if part)
        return f"{place}{self.reason}" + (f"\n  fix: {self.fix}" if self.fix else "")

    def as_dict(self) -> dict[str, Any]:
        """The same for ``--json``."""
        return {
            "error": type(self).__name__,
            "exit_code": self.exit_code,
            "host": self.host,
            "step": self.step,
            "reason": self.reason,
            "fix": self.fix,
        }


class UsageError(NodestrapError):
    """The command line contradicts itself or the machine it runs on."""

    exit_code = EXIT_USAGE


class InventoryError(NodestrapError):
    """The inventory cannot be read, or says something that nodestrap does not know."""

    exit_code = EXIT_USAGE


class ConnectError(NodestrapError):
    """A host could not be reached, or it did not let us in."""

    exit_code = EXIT_CONNECT


class HostKeyError(ConnectError):
    """A host showed another key than the pinned one: refused, whoever it is."""


class PrivilegeError(ConnectError):
    """The host let us in, but not become root: nothing can be set up there."""

    exit_code = EXIT_PREFLIGHT


class PreflightError(NodestrapError):
    """A host cannot become a node as it is."""

    exit_code = EXIT_PREFLIGHT


class ArtifactError(NodestrapError):
    """A release file is missing, unreachable or has the wrong checksum."""

    exit_code = EXIT_ARTIFACT


class ConvergeError(NodestrapError):
    """A role failed on a host."""

    exit_code = EXIT_CONVERGE


class ClusterError(ConvergeError):
    """The cluster does not answer, or refuses what is asked of it."""


class VerifyError(NodestrapError):
    """A qualification check failed; the tier chooses the exit code."""

    def __init__(self, reason: str, *, tier: str, **place: str | None) -> None:
        super().__init__(reason, **place)
        self.exit_code = EXIT_VERIFY[tier]


class LockedError(NodestrapError):
    """Another operator is at work on this cluster."""

    exit_code = EXIT_LOCKED


class Interrupted(NodestrapError):
    """^C or SIGTERM; the journal holds what was done, and the next run goes on from there."""

    exit_code = EXIT_INTERRUPTED
