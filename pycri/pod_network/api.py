"""The part of the Kubernetes API that the agent needs: nodes, listed and watched, over mutual TLS.

Protocol: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

KUBELET_CONF = Path("/etc/kubernetes/kubelet.conf")
WATCH_SECONDS = 60  # then it is asked anew, so a connection that died silently costs no more than that
_TIMEOUT = WATCH_SECONDS + 15


class ApiError(Exception):
    """The API server answered, but not with what was asked for. 410: what is remembered is too old."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the API server says {status}: {reason}")
        self.status = status


@dataclass(frozen=True)
class Credentials:
    """Where the API server is, and who is asking."""

    server: str
    ca: str  # PEM
    certificate: Path
    key: Path
    own: bool  # the agent's, not the kubelet's


def find_credentials(directory: Path, kubelet_conf: Path = KUBELET_CONF) -> Credentials | None:
    """The agent's own; until it has them, the kubelet's, which may not list nodes from Kubernetes 1.32 on.

    None where there are neither: the host has not joined yet. Raises OSError.
    """
    files = [directory / name for name in ("server", "ca.crt", "client.crt", "client.key")]
    if all(file.exists() for file in files):
        server, authority, own_certificate, own_key = files
        return Credentials(
            server.read_text().strip(), authority.read_text(), own_certificate, own_key, own=True
        )
    if not kubelet_conf.exists():
        return None
    text = kubelet_conf.read_text()
    found = {
        name: match[1].strip('"')
        for name in ("server", "certificate-authority-data", "client-certificate", "client-key")
        if (match := re.search(rf"^\s*{name}: *(\S+)", text, re.MULTILINE))
    }
    if len(found) < 4:
        return None  # kubeadm is at it
    certificate, key = Path(found["client-certificate"]), Path(found["client-key"])
    if not (certificate.exists() and key.exists()):
        return None
    ca = base64.b64decode(found["certificate-authority-data"]).decode()
    return Credentials(found["server"], ca, certificate, key, own=False)


class Api:
    """One API server, asked as ``credentials`` say. A connection for each request."""

    def __init__(self, credentials: Credentials) -> None:
        server = urlsplit(credentials.server)
        self._host, self._port = server.hostname or "", server.port or 443
        self._tls = ssl.create_default_context(cadata=credentials.ca)
        self._tls.load_cert_chain(credentials.certificate, credentials.key)

    def node(self, name: str) -> dict[str, Any]:
        """One node. Raises ApiError, OSError."""
        found: dict[str, Any] = self._get(f"/api/v1/nodes/{quote(name, safe='')}")
        return found

    def nodes(self) -> tuple[list[dict[str, Any]], str]:
        """All nodes, and the version from which to watch. Raises ApiError, OSError."""
        found = self._get("/api/v1/nodes")
        return found["items"], found["metadata"]["resourceVersion"]

    def watch(self, version: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Changes after ``version``, each with its type, for WATCH_SECONDS. Raises ApiError, OSError."""
        query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}"
        with closing(self._connect()) as connection:
            answer = self._ask(connection, f"/api/v1/nodes?{query}")
            while line := answer.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code", 0), event["object"].get("message", "?"))
                yield event["type"], event["object"]

    def _get(self, path: str) -> Any:
        with closing(self._connect()) as connection:
            return json.loads(self._ask(connection, path).read())

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT, context=self._tls)

    def _ask(self, connection: http.client.HTTPSConnection, path: str) -> http.client.HTTPResponse:
        connection.request("GET", path, headers={"Accept": "application/json"})
        if connection.sock is not None:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        answer = connection.getresponse()
        if answer.status != 200:
            raise ApiError(answer.status, answer.read(2000).decode(errors="replace").strip() or answer.reason)
        return answer
