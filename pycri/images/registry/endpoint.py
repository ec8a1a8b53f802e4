"""HTTP with one host: TLS, headers, authorization, redirects; every failure becomes a RegistryError."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, LocationParseError
from urllib3.exceptions import SSLError as TransportSSLError

from pycri.images.registry import challenge
from pycri.images.registry.credentials import Credentials, from_header
from pycri.images.registry.errors import BadCertificate, RegistryError
from pycri.images.registry.hosts import Host
from pycri.images.registry.proxy import proxy_for
from pycri.images.registry.tls import tls_context
from pycri.images.registry.token import fetch_token
from pycri.version import __version__

# skip_verify is the node owner's word; a warning per request would only fill the journal.
urllib3.disable_warnings(InsecureRequestWarning)

_USER_AGENT = f"pycri/{__version__}"
_CONNECT_TIMEOUT = 30.0
_MAX_REDIRECTS = 5
_MAX_ERROR_BODY = 4096
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Endpoint:
    """``credentials`` are for this host, or None. ``timeout`` is the longest wait for a byte, in seconds."""

    def __init__(self, host: Host, repository: str, credentials: Credentials | None, timeout: float) -> None:
        self.host = host
        self.repository = repository
        self._credentials = credentials or from_header(host.header)
        self._timeout = urllib3.Timeout(connect=min(_CONNECT_TIMEOUT, timeout), read=timeout)
        self._managers: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._manager_lock = threading.Lock()
        self._lock = threading.Lock()
        self._authorization = ""
        if credentials and credentials.registry_token:
            self._authorization = f"Bearer {credentials.registry_token}"

    def get(self, path: str, headers: Mapping[str, str], *, method: str = "GET") -> urllib3.BaseHTTPResponse:
        """Request ``path`` below the host's base URL; the response is 2xx and its body unread.

        Raises RegistryError for any other answer.
        """
        url = self.host.url + path
        sent = self._authorization
        response = self._follow(method, url, headers, sent)
        if response.status == 401:
            offered = challenge.parse(response.headers.getlist("WWW-Authenticate"))
            try:
                authorization = self._answer(offered, sent)
            except RegistryError:
                response.close()
                raise
            if authorization:
                response.drain_conn()
                response = self._follow(method, url, headers, authorization)
        if not 200 <= response.status < 300:
            raise _refusal(response, url)
        return response

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        fields: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """One exchange, without authorization or redirects of its own; the body unread."""
        sent = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **headers}
        try:
            return self._manager(url).request(
                method,
                url,
                headers=sent,
                fields=fields,
                body=body,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except TransportSSLError as error:
            raise BadCertificate(f"{_shown(url)}: TLS: {_reason(error)}") from None
        except (HTTPError, LocationParseError, UnicodeError) as error:
            raise RegistryError(f"{_shown(url)}: {_reason(error)}") from None

    def close(self) -> None:
        for manager in self._managers.values():
            manager.clear()

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], authorization: str
    ) -> urllib3.BaseHTTPResponse:
        """Follow redirects. Another host gets neither our authorization nor the host's own headers."""
        own = {**self.host.header, **headers}
        if authorization:
            own["Authorization"] = authorization
        current, sent = url, own
        for _ in range(_MAX_REDIRECTS + 1):
            response = self.send(method, current, sent)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.drain_conn()
            response.release_conn()
            following = urljoin(current, location)
            if urlsplit(following).scheme not in ("https", urlsplit(current).scheme):
                raise RegistryError(
                    f"{_shown(current)} redirects from https to {_shown(following)}", status=400
                )
            sent = own if _origin(following) == _origin(url) else headers  # type: ignore[assignment]
            current = following
        raise RegistryError(f"{_shown(url)}: more than {_MAX_REDIRECTS} redirects", status=400)

    def _answer(self, challenges: list[challenge.Challenge], failed: str) -> str:
        """The Authorization that answers a 401; empty if we have none that has not just failed."""
        with self._lock:
            if self._authorization != failed:
                return self._authorization  # another thread has renewed it meanwhile
            for offered in challenges:
                if offered.scheme == "bearer" and offered.parameters.get("realm"):
                    token = fetch_token(self, offered, self.repository, self._credentials)
                    self._authorization = f"Bearer {token}"
                    return self._authorization
                if offered.scheme == "basic" and self._credentials and self._credentials.username:
                    basic = self._credentials.basic()
                    if basic != failed:
                        self._authorization = basic
                        return basic
            return ""

    def _manager(self, url: str) -> urllib3.PoolManager:
        """One connection pool per proxy and scheme; plain HTTP needs no certificates loaded."""
        proxy, scheme = proxy_for(url), urlsplit(url).scheme
        with self._manager_lock:
            if (proxy, scheme) not in self._managers:
                context = tls_context(self.host) if scheme == "https" else None
                self._managers[proxy, scheme] = (
                    urllib3.ProxyManager(proxy, maxsize=8, ssl_context=context)
                    if proxy
                    else urllib3.PoolManager(maxsize=8, ssl_context=context)
                )
            return self._managers[proxy, scheme]


def read_bounded(response: urllib3.BaseHTTPResponse, limit: int, what: str) -> bytes:
    """A body of at most ``limit`` bytes. Raises RegistryError."""
    try:
        data: bytes = response.read(limit + 1, decode_content=False)
    except HTTPError as error:
        raise RegistryError(f"{what}: {_reason(error)}") from None
    if len(data) > limit:
        response.close()
        raise RegistryError(f"{what}: the answer has more than {limit} bytes", status=400)
    response.release_conn()
    return data


def _refusal(response: urllib3.BaseHTTPResponse, url: str) -> RegistryError:
    try:
        body = response.read(_MAX_ERROR_BODY, decode_content=False)
    except HTTPError:
        body = b""
    response.close()
    reason = f"{_shown(url)}: {response.status} {response.reason or ''}".rstrip()
    detail = _detail(body)
    return RegistryError(
        f"{reason}: {detail}" if detail else reason,
        status=response.status,
        retry_after=retry_after(response.headers.get("Retry-After"), time()),
    )


def _detail(body: bytes) -> str:
    """The registry's own words (distribution-spec, error codes), made printable."""
    try:
        errors = json.loads(body)["errors"]
        words = "; ".join(f"{e.get('code', '')}: {e.get('message', '')}" for e in errors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return "".join(c if c.isprintable() else " " for c in words[:500])


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from a Retry-After header in either of its forms; None if there is none."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value[:10])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _shown(url: str) -> str:
    """Without the query: signed redirects carry secrets there."""
    return url.partition("?")[0]


def _reason(error: Exception) -> str:
    """The words of urllib3's error, without the address of the object that it starts with."""
    words = str(error) or type(error).__name__
    return re.sub(r"^<?[\w.]+ ?object at 0x[0-9a-f]+>?: |^\w+\(.*?\): ", "", words)
