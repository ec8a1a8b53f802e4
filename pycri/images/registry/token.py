"""Bearer tokens (https://distribution.github.io/distribution/spec/auth/token/ and …/oauth/)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from pycri.images.registry.errors import RegistryError

if TYPE_CHECKING:
    from pycri.images.registry.challenge import Challenge
    from pycri.images.registry.credentials import Credentials
    from pycri.images.registry.endpoint import Endpoint

_MAX_ANSWER = 1024 * 1024


def fetch_token(
    endpoint: Endpoint, challenge: Challenge, repository: str, credentials: Credentials | None
) -> str:
    """Ask the realm for a token to pull ``repository``; anonymously without credentials.

    Raises RegistryError.
    """
    from pycri.images.registry.endpoint import read_bounded

    realm = challenge.parameters["realm"]
    scheme = urlsplit(realm).scheme
    if scheme != "https" and scheme != urlsplit(endpoint.host.url).scheme:
        raise RegistryError(f"{endpoint.host.url} asks to send credentials in clear to {realm}", status=401)
    query = {"scope": challenge.parameters.get("scope") or f"repository:{repository}:pull"}
    if service := challenge.parameters.get("service"):
        query["service"] = service
    if credentials and credentials.identity_token:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": credentials.identity_token,
            "client_id": "pycri",
            **query,
        }
        response = endpoint.send(
            "POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, body=urlencode(form)
        )
    else:
        headers = {}
        if credentials and credentials.username:
            headers["Authorization"] = credentials.basic()
            query["account"] = credentials.username
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        response = endpoint.send("GET", url, headers)
    what = f"token server {realm}"
    if response.status != 200:
        response.close()
        raise RegistryError(f"{what}: {response.status} {response.reason}", status=response.status)
    return _token(read_bounded(response, _MAX_ANSWER, what), what)


def _token(answer: bytes, what: str) -> str:
    try:
        document = json.loads(answer)
        token = document.get("token") or document.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise RegistryError(f"{what}: the answer has no usable token", status=401)
    return token
