"""The client object: one connection, one attribute per containerd service."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from pycri.containerd.connection import Connection
from pycri.containerd.containers import Containers
from pycri.containerd.content import Content
from pycri.containerd.diff import Diff
from pycri.containerd.events import Events
from pycri.containerd.images import Images
from pycri.containerd.introspection import Introspection
from pycri.containerd.leases import Leases
from pycri.containerd.namespaces import Namespaces
from pycri.containerd.sandboxes import Sandboxes
from pycri.containerd.snapshots import Snapshots
from pycri.containerd.tasks import Tasks
from pycri.containerd.version import Version


class Containerd:
    """containerd at the unix socket ``address``, seen from one containerd ``namespace``.

    Nothing is connected until the first call, and a lost connection comes back by itself. Calls wait as long
    as containerd takes: a caller that has a deadline wraps them in ``asyncio.wait_for``, which cancels the
    RPC too. Every call raises the error of ``pycri.errors`` that has containerd's status code, and
    ``Unavailable`` when containerd cannot be reached.
    """

    def __init__(self, address: str | Path, namespace: str) -> None:
        self.address = str(address)
        self.namespace = namespace
        self._connection = Connection(self.address, namespace)
        self.containers = Containers(self._connection)
        self.content = Content(self._connection)
        self.diff = Diff(self._connection)
        self.events = Events(self._connection)
        self.images = Images(self._connection)
        self.introspection = Introspection(self._connection)
        self.leases = Leases(self._connection)
        self.namespaces = Namespaces(self._connection)
        self.sandboxes = Sandboxes(self._connection)
        self.snapshots = Snapshots(self._connection)
        self.tasks = Tasks(self._connection)
        self.version = Version(self._connection)

    async def wait_ready(self, timeout: float) -> None:
        """Return once containerd answers; raise ``Unavailable`` after ``timeout`` seconds."""
        await self._connection.wait_ready(timeout)

    async def close(self) -> None:
        """Close the connection; calls under way end with an error."""
        await self._connection.close()

    async def __aenter__(self) -> Containerd:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
