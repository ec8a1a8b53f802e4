"""Port-forward over WebSocket: SPDY in a tunnel (kubectl), or two channels for each port. Without I/O."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pycri.streaming.channels import ProtocolError
from pycri.streaming.forwards import ClientLeft, ForwardData, ForwardEvent, ForwardOpened
from pycri.streaming.spdy_forwards import PROTOCOL, SpdyForwards
from pycri.streaming.websocket.connection import Closed, WebSocketConnection, WebSocketError
from pycri.streaming.websocket_channels import ChannelMessages

TUNNEL_PROTOCOL = f"SPDY/3.1+{PROTOCOL}"
CHANNEL_PROTOCOLS = {"v4.channel.k8s.io": False, "v4.base64.channel.k8s.io": True}


class TunnelledForwards(SpdyForwards):
    """The bytes of a SPDY connection as binary messages, wherever they are cut."""

    def __init__(self) -> None:
        super().__init__()
        self._websocket = WebSocketConnection()

    def receive(self, data: bytes) -> list[ForwardEvent]:
        events: list[ForwardEvent] = []
        try:
            for event in self._websocket.receive(data):
                events += [ClientLeft()] if isinstance(event, Closed) else super().receive(event.data)
        except WebSocketError as error:
            raise ProtocolError(str(error)) from error
        return events

    def finish(self) -> None:
        super().finish()
        self._wrap()
        self._websocket.close()

    def take_output(self) -> bytes:
        self._wrap()
        return self._websocket.take_output()

    def _wrap(self) -> None:
        inner = super().take_output()
        for start in range(0, len(inner), 32 * 1024):
            self._websocket.send(inner[start : start + 32 * 1024])


class ChannelForwards:
    """Channel 2i is the data of the i-th port, 2i+1 its errors; the key is i. There is no half-close."""

    def __init__(self, ports: Sequence[int], *, base64_text: bool = False) -> None:
        self._ports = ports
        self._messages = ChannelMessages(base64_text=base64_text)

    def start(self) -> list[ForwardEvent]:
        for key, port in enumerate(self._ports):
            for channel in (2 * key, 2 * key + 1):
                self._messages.send(channel, struct.pack("<H", port))
        return [ForwardOpened(key, port) for key, port in enumerate(self._ports)]

    def receive(self, data: bytes) -> list[ForwardEvent]:
        found = self._messages.receive(data)
        events: list[ForwardEvent] = [
            ForwardData(channel // 2, chunk)
            for channel, chunk in found
            if chunk and channel % 2 == 0 and channel // 2 < len(self._ports)
        ]
        return [*events, ClientLeft()] if self._messages.closed else events

    def send(self, key: int, data: bytes) -> None:
        self._messages.send(2 * key, data)

    def end(self, key: int) -> None:
        """Nothing in this protocol says so."""

    def fail(self, key: int, message: str) -> None:
        if message:
            self._messages.send(2 * key + 1, message.encode())

    def expire(self, now: float) -> None:
        """Nothing is ever half begun."""

    def finish(self) -> None:
        self._messages.close()

    def take_output(self) -> bytes:
        return self._messages.take_output()
