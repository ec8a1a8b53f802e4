"""A thin, typed asyncio client of containerd's gRPC API.

Only this package sees gRPC: its callers get messages of ``pycri._generated``, plain values and the errors of
``pycri.errors``.
"""

from pycri.containerd.client import Containerd
from pycri.containerd.events import Disconnected, Event, ImageChanged, Subscribed
from pycri.containerd.leases import current_lease

__all__ = ["Containerd", "Disconnected", "Event", "ImageChanged", "Subscribed", "current_lease"]
