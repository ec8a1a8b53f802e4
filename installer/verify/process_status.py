"""What the kernel says of a process in a container: /proc/PID/status (proc(5))."""

from __future__ import annotations

from dataclasses import dataclass

from installer.verify.context import Context
from installer.verify.pods import Container
from pycri.container.spec.capabilities import NAMES


@dataclass(frozen=True)
class ProcessStatus:
    """The lines of the file by name."""

    lines: dict[str, str]

    @property
    def uid(self) -> int:
        """The effective user id."""
        return int(self.lines["Uid"].split()[1])

    @property
    def gid(self) -> int:
        """The effective group id."""
        return int(self.lines["Gid"].split()[1])

    @property
    def groups(self) -> set[int]:
        """The supplementary groups, without the primary one: runtimes differ on whether it is repeated."""
        return {int(word) for word in self.lines["Groups"].split()} - {self.gid}

    def capabilities(self, kind: str) -> set[str]:
        """A set by its name there (``CapEff``, ``CapBnd``, ``CapAmb``, ``CapInh``)."""
        mask = int(self.lines[kind], 16)
        return {name for number, name in enumerate(NAMES) if mask >> number & 1}

    @property
    def seccomp_filters(self) -> int:
        """How many; before Linux 5.9, which does not count them, 1 for any."""
        return int(self.lines.get("Seccomp_filters", self.lines["Seccomp"] == "2"))

    @property
    def no_new_privs(self) -> bool:
        """Whether execve can give no privileges."""
        return self.lines["NoNewPrivs"] == "1"


def of_main(container: Container) -> ProcessStatus:
    """Of the process with pid 1. Raises Failed, CriError."""
    return parse(container.output("cat", "/proc/1/status"))


def of_exec(container: Container) -> ProcessStatus:
    """Of a command that is executed in the container. Raises Failed, CriError."""
    return parse(container.output("cat", "/proc/self/status"))


def host_filters(ctx: Context) -> int:
    """seccomp filters that every process of the host has inherited, as on a systemd-nspawn host.

    0 where the host cannot be asked. Raises HostError.
    """
    host = ctx.session.host
    if host.refusal is not None:
        return 0
    return parse(host.run("cat /proc/1/status").stdout.decode()).seccomp_filters


def parse(text: str) -> ProcessStatus:
    """The file's lines."""
    return ProcessStatus(
        {name: value.strip() for name, _, value in (x.partition(":") for x in text.splitlines())}
    )
