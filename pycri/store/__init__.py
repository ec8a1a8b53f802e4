"""What should exist: sandboxes and containers, durable in SQLite, answered from memory."""

from pycri.store.records import ContainerRecord, SandboxRecord
from pycri.store.store import Store

__all__ = ["ContainerRecord", "SandboxRecord", "Store"]
