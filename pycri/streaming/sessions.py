"""What the three RPCs register, to be picked up by the client that follows the URL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExecRequest:
    container_id: str
    process_spec: bytes
    tty: bool
    stdin: bool
    stdout: bool
    stderr: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Streams of this session; a terminal has no stderr."""
        return _names(self)


@dataclass(frozen=True)
class AttachRequest:
    container_id: str
    tty: bool
    stdin: bool
    stdout: bool
    stderr: bool

    @property
    def names(self) -> tuple[str, ...]:
        return _names(self)


@dataclass(frozen=True)
class PortForwardRequest:
    sandbox_id: str
    netns_path: str  # empty: the host's
    ports: tuple[int, ...]


SessionRequest = ExecRequest | AttachRequest | PortForwardRequest

PATHS: dict[type, str] = {ExecRequest: "exec", AttachRequest: "attach", PortForwardRequest: "portforward"}


def _names(request: ExecRequest | AttachRequest) -> tuple[str, ...]:
    wanted = {
        "stdin": request.stdin,
        "stdout": request.stdout,
        "stderr": request.stderr and not request.tty,
    }
    return tuple(name for name, on in wanted.items() if on)
