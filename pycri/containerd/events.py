"""containerd's event stream, resubscribed for ever, with its events decoded.

The stream has no cursor: whatever happened while it was down is lost. So the consumer is told of every
(re)subscription, and then reads the present state (``tasks.list()``) before it trusts events again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from pycri._generated import containerd_events_pb2 as pb
from pycri._generated import containerd_images_pb2, containerd_task_events_pb2, containerd_types_pb2
from pycri.containerd.anys import pack, type_name
from pycri.containerd.connection import Connection
from pycri.errors import PycriError

_SERVICE = pb.DESCRIPTOR.services_by_name["Events"]
_TASK_EVENTS = {
    f"containerd.events.{name}": getattr(containerd_task_events_pb2, name)
    for name in containerd_task_events_pb2.DESCRIPTOR.message_types_by_name
}
_PROBE_TOPIC = "/pycri/subscribed"
_FIRST_DELAY, _LAST_DELAY = 0.05, 1.0


@dataclass(frozen=True)
class Event:
    """One event; ``message`` is a message of ``containerd_task_events_pb2`` or an ``ImageChanged``."""

    topic: str
    timestamp_ns: int
    message: Message | ImageChanged


@dataclass(frozen=True)
class ImageChanged:
    """An image name was created, updated or deleted (the topic says which)."""

    name: str


@dataclass(frozen=True)
class Subscribed:
    """The stream is live from here on: read the present state now. ``again`` after the first time."""

    again: bool


@dataclass(frozen=True)
class Disconnected:
    """The stream broke; events are being missed until the next ``Subscribed``."""

    error: PycriError


class Events:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def subscribe(
        self, topics: str = "^/(tasks|images)/"
    ) -> AsyncIterator[Subscribed | Event | Disconnected]:
        """Events of this namespace whose topic matches the regular expression ``topics``.

        Never ends and never raises: it subscribes again after a loss, 50 ms to 1 s later. Events of types
        unknown here are left out.
        """
        again, delay = False, _FIRST_DELAY
        while True:
            try:
                async for item in self._subscribe_once(topics, again):
                    again, delay = True, _FIRST_DELAY
                    yield item
                error = PycriError("containerd ended the event stream")
            except PycriError as lost:
                error = lost
            yield Disconnected(error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LAST_DELAY)

    async def publish(self, topic: str, message: Message) -> None:
        request = pb.PublishRequest(topic=topic, event=pack(message))
        await self._connection.unary(_SERVICE, "Publish", request, Empty)

    async def _subscribe_once(self, topics: str, again: bool) -> AsyncIterator[Subscribed | Event]:
        """One subscription, from the moment it is known to be live.

        containerd does not say when a subscription has taken effect, so we publish probes of our own until
        one of them comes back. Events that arrive before it are passed on after ``Subscribed``.
        """
        namespace = self._connection.namespace
        mine = Timestamp(seconds=secrets.randbits(32), nanos=secrets.randbelow(10**9))
        filters = [
            f'namespace=="{namespace}",topic~="{topics}"',
            f'namespace=="{namespace}",topic=="{_PROBE_TOPIC}"',
        ]
        stream = self._connection.server_stream(
            _SERVICE, "Subscribe", pb.SubscribeRequest(filters=filters), containerd_types_pb2.Envelope
        )
        prober = asyncio.create_task(self._probe(mine))
        early: list[Event] | None = []
        try:
            async for envelope in stream:
                if envelope.topic == _PROBE_TOPIC:
                    if early is not None and envelope.event.value == mine.SerializeToString():
                        prober.cancel()
                        yield Subscribed(again)
                        for event in early:
                            yield event
                        early = None
                elif (decoded := decode(envelope)) is not None:
                    if early is None:
                        yield decoded
                    else:
                        early.append(decoded)
        finally:
            prober.cancel()
            await asyncio.gather(prober, return_exceptions=True)
            await stream.aclose()  # type: ignore[attr-defined]  # an async generator has it

    async def _probe(self, nonce: Timestamp) -> None:
        """Publish ``nonce`` until cancelled. Its type is one that every listener can decode."""
        while True:
            try:
                await self.publish(_PROBE_TOPIC, nonce)
            except PycriError:
                return  # containerd is gone; the stream notices too
            await asyncio.sleep(_FIRST_DELAY)


def decode(envelope: containerd_types_pb2.Envelope) -> Event | None:
    """The event in ``envelope``; None if it is of a type that pycri does not use, or malformed."""
    timestamp_ns = envelope.timestamp.ToNanoseconds()
    try:
        message = _decode_payload(envelope.topic, envelope.event)
    except DecodeError:
        return None
    return None if message is None else Event(envelope.topic, timestamp_ns, message)


def _decode_payload(topic: str, payload: Any) -> Message | ImageChanged | None:
    if topic.startswith("/images/"):
        # ImageCreate, ImageUpdate and ImageDelete all have the name as field 1, as this request has; their
        # package moved between containerd releases, the topic did not.
        return ImageChanged(containerd_images_pb2.GetImageRequest.FromString(payload.value).name)
    kind = _TASK_EVENTS.get(type_name(payload))
    return None if kind is None else kind.FromString(payload.value)
