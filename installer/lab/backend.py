"""What a kind of lab host has to offer: nspawn and vm are the two there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from installer.lab.progress import Progress
    from installer.lab.state import Host, Lab


class Backend(Protocol):
    """One way to run lab hosts."""

    boot_seconds: float
    """How long a host may take until its sshd answers."""

    def check(self) -> None:
        """Raise UsageError, with the fix, when this machine cannot run such hosts."""

    def hosts(self, subnet: str, count: int, present: Sequence[Host]) -> tuple[Host, ...]:
        """`present` and as many new hosts as make `count`."""

    def prepare(self, progress: Progress) -> None:
        """Have the cached root file system or disk image at hand."""

    def connect(self, lab: Lab) -> None:
        """Make the network the hosts share. Does nothing twice."""

    def registry_address(self, lab: Lab) -> str:
        """host:port the lab's registry should listen on; port 0 for any."""

    def registry_url(self, lab: Lab, address: str) -> str:
        """The registry that listens on `address`, as the hosts reach it."""

    def boot(self, lab: Lab, host: Host) -> None:
        """Start the host; returns before it has booted."""

    def running(self, lab: Lab, host: Host) -> bool:
        """Whether the host is up or booting."""

    def halt(self, lab: Lab, host: Host) -> None:
        """Cut the host's power; its disk stays. Idempotent."""

    def console(self, lab: Lab, host: Host) -> str:
        """What the host has printed since it booted."""


def backend(name: str) -> Backend:
    """The backend called `name`: nspawn or vm."""
    if name == "vm":
        from installer.lab.vm import VirtualMachines

        return VirtualMachines()
    from installer.lab.nspawn import NspawnHosts

    return NspawnHosts()
