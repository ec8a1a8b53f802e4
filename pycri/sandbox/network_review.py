"""After a start: are the pods' networks still there (CHECK), and does nobody hold what no pod has (GC)?

Neither is fatal. A pod whose network is damaged goes on, and the log says so: the kubelet has no word for it.
"""

from __future__ import annotations

import asyncio
import logging

from pycri import errors
from pycri.cni import Network, netns
from pycri.config import Cni
from pycri.store import SandboxRecord, Store

log = logging.getLogger(__name__)

_AT_ONCE = 2  # each CHECK is a chain of processes, and the kubelet's first requests are waiting


class NetworkReview:
    """``collect`` runs before the first request: it would take a new pod's address. ``check`` runs beside."""

    def __init__(self, settings: Cni, store: Store, network: Network) -> None:
        self._settings = settings
        self._store = store
        self._network = network
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def collect(self) -> None:
        """GC, if it is switched on."""
        if not self._settings.gc:
            return
        pods = [(record.id, record.network) for record in self._store.sandboxes]
        try:
            if not await self._network.collect(pods):
                log.info(
                    "cni.gc is on, but the network has no GC: it needs cniVersion 1.1.0 and no disableGC"
                )
        except errors.PycriError as error:
            log.warning("GC of the pod network failed, the next start tries again: %s", error)

    async def check(self) -> None:
        """CHECK of every pod that runs."""
        ready = [record for record in self._store.sandboxes if record.ready and record.network]
        await asyncio.gather(*(self._check(record) for record in ready))

    async def _check(self, record: SandboxRecord) -> None:
        async with self._slots:
            current = self._store.sandboxes.find(record.id)
            if current is None or not current.ready or not netns.exists(record.netns):
                return  # stopped meanwhile
            try:
                await self._network.check(
                    record.network, record.result, record.id, record.netns, record.config
                )
            except (errors.PycriError, ValueError) as error:
                meta = record.config.metadata
                log.warning(
                    "the network of pod %s/%s is not as it was made, its connections may fail: %s",
                    meta.namespace,
                    meta.name,
                    error,
                )
