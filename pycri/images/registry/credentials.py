"""The CRI's AuthConfig, and which server may see it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pycri._generated import cri_pb2
from pycri.errors import InvalidArgument
from pycri.images.reference import DEFAULT_DOMAIN

_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True)
class Credentials:
    """What the kubelet found in a pull secret. ``server`` is empty when it names no server."""

    server: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def from_cri(auth: cri_pb2.AuthConfig, registry: str) -> Credentials | None:
    """Credentials for ``registry``; None if there are none, or if they name another server.

    Raises InvalidArgument if ``auth.auth`` is not base64 of ``user:password``.
    """
    server = _host(auth.server_address)
    if server and server != _canonical(registry):
        return None
    username, password = auth.username, auth.password
    if not username and auth.auth:
        try:
            decoded = base64.b64decode(auth.auth.encode(), validate=True).decode()
        except (binascii.Error, UnicodeError):
            raise InvalidArgument("the pull secret's auth is not base64 of user:password") from None
        username, colon, password = decoded.partition(":")
        if not colon:
            raise InvalidArgument("the pull secret's auth has no colon between user and password")
        password = password.rstrip("\0")  # Docker pads it on some platforms
    if not (username or auth.identity_token or auth.registry_token):
        return None
    return Credentials(server, username, password, auth.identity_token, auth.registry_token)


def from_header(header: Mapping[str, str]) -> Credentials | None:
    """The node owner's own, out of a hosts.toml's ``Authorization = "Basic ..."``; None where it has none.

    As a header alone they would be of no use with a registry that wants a token first.
    """
    value = next((value for name, value in header.items() if name.lower() == "authorization"), "")
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return None
    return Credentials("", username, password) if colon else None


def _host(address: str) -> str:
    """The host and port that a server address names: a URL (``https://index.docker.io/v1/``) or bare."""
    if not address:
        return ""
    netloc = urlsplit(address if "://" in address else f"//{address}").netloc
    return _canonical(netloc.rpartition("@")[2])


def _canonical(netloc: str) -> str:
    netloc = netloc.lower()
    return DEFAULT_DOMAIN if netloc in _DOCKER_HUB else netloc
