"""Chooses the protocol of an upgrade and writes the answer, without I/O."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from pycri.streaming import spdy_channels, websocket_channels
from pycri.streaming.channels import Channels
from pycri.streaming.forwards import Forwards
from pycri.streaming.http import BadRequest, Request, response
from pycri.streaming.sessions import AttachRequest, ExecRequest, PortForwardRequest
from pycri.streaming.spdy_channels import SpdyChannels
from pycri.streaming.spdy_forwards import PROTOCOL as FORWARD_PROTOCOL
from pycri.streaming.spdy_forwards import SpdyForwards
from pycri.streaming.websocket.connection import accept_key
from pycri.streaming.websocket_channels import WebSocketChannels
from pycri.streaming.websocket_forwards import (
    CHANNEL_PROTOCOLS,
    TUNNEL_PROTOCOL,
    ChannelForwards,
    TunnelledForwards,
)

_SPDY = "SPDY/3.1"
_PROTOCOL_HEADER = "X-Stream-Protocol-Version"


def is_websocket(request: Request) -> bool:
    """Which of the two upgrades is asked for. Raises BadRequest when it is neither."""
    if request.method not in ("GET", "POST"):
        raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "use GET or POST")
    if request.has_word("connection", "upgrade"):
        if request.has_word("upgrade", "websocket"):
            return True
        if request.has_word("upgrade", _SPDY):
            return False
    raise BadRequest(HTTPStatus.BAD_REQUEST, f"this needs an upgrade to {_SPDY} or to websocket")


def channels(request: Request, session: ExecRequest | AttachRequest) -> tuple[Channels, bytes]:
    """The protocol of an exec or attach session and the 101 response. Raises BadRequest."""
    if is_websocket(request):
        offered = request.words("sec-websocket-protocol")
        # no protocol at all means the first of them
        chosen = _choose(offered, websocket_channels.PROTOCOLS) if offered else ""
        version, base64_text = websocket_channels.PROTOCOLS[chosen or "channel.k8s.io"]
        return (
            WebSocketChannels(version, session.names, tty=session.tty, base64_text=base64_text),
            _websocket_response(request, chosen),
        )
    offered = request.words(_PROTOCOL_HEADER.lower())
    chosen = _choose(offered, spdy_channels.PROTOCOLS) if offered else ""
    version = spdy_channels.PROTOCOLS[chosen or "channel.k8s.io"]
    return SpdyChannels(version, session.names, tty=session.tty), _spdy_response(chosen)


def forwards(request: Request, session: PortForwardRequest) -> tuple[Forwards, bytes]:
    """The protocol of a port-forward session and the 101 response. Raises BadRequest."""
    if not is_websocket(request):
        offered = request.words(_PROTOCOL_HEADER.lower())
        chosen = _choose(offered, (FORWARD_PROTOCOL,)) if offered else ""
        return SpdyForwards(), _spdy_response(chosen)
    offered = request.words("sec-websocket-protocol")
    chosen = _choose(offered, (TUNNEL_PROTOCOL, *(CHANNEL_PROTOCOLS if session.ports else ())))
    answer = _websocket_response(request, chosen)
    if chosen == TUNNEL_PROTOCOL:
        return TunnelledForwards(), answer
    return ChannelForwards(session.ports, base64_text=CHANNEL_PROTOCOLS[chosen]), answer


def _choose(offered: Iterable[str], known: Iterable[str]) -> str:
    """The first of ours that the client offers too."""
    offers = list(offered)
    for name in known:
        if name in offers:
            return name
    raise BadRequest(
        HTTPStatus.FORBIDDEN, f"none of the protocols {offers} is known here; these are: {', '.join(known)}"
    )


def _spdy_response(chosen: str) -> bytes:
    headers = [("Connection", "Upgrade"), ("Upgrade", _SPDY)]
    if chosen:
        headers.append((_PROTOCOL_HEADER, chosen))
    return response(HTTPStatus.SWITCHING_PROTOCOLS, headers)


def _websocket_response(request: Request, chosen: str) -> bytes:
    if request.method != "GET" or request.first("sec-websocket-version") != "13":
        raise BadRequest(HTTPStatus.UPGRADE_REQUIRED, "a WebSocket is opened by GET with version 13")
    try:
        accept = accept_key(request.first("sec-websocket-key"))
    except ValueError:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key is missing or malformed") from None
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
    if chosen:
        headers.append(("Sec-WebSocket-Protocol", chosen))
    return response(HTTPStatus.SWITCHING_PROTOCOLS, headers)
