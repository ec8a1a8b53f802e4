"""One file over HTTP: resumed where a former attempt stopped, checked, and only then visible under its
name.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, IncompleteRead, ProtocolError, ReadTimeoutError

from installer.artifacts import cache
from installer.artifacts.progress import Progress, silent
from installer.errors import ArtifactError

ATTEMPTS: Final = 3  # for what may pass: a broken connection, 429 and 5xx
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_LONGEST_WAIT: Final = 30.0  # seconds, whatever Retry-After says
_TIMEOUT: Final = urllib3.Timeout(connect=15.0, read=60.0)


def download(url: str, sha256: str, target: Path, progress: Progress = silent) -> None:
    """Fetch ``url`` to ``target``. The caller holds the cache's lock on ``sha256``.

    An unfinished file stays as ``<target>.part`` and is resumed by the next call, if the server can. Raises
    ArtifactError: unreachable, an HTTP error, truncated again and again, or a wrong checksum (the file is
    removed).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    _fetch(url, part, target.name, progress)
    actual = cache.sha256_of(part)
    if actual != sha256 and resumed:  # the part may have been of another file: once more, from nothing
        part.unlink()
        _fetch(url, part, target.name, progress)
        actual = cache.sha256_of(part)
    if actual != sha256:
        size = part.stat().st_size
        part.unlink()
        raise ArtifactError(
            f"{url}: wrong checksum: expected sha256 {sha256}, got {actual} ({size} bytes); file removed",
            fix="a mirror must hold the unchanged release file; a proxy on the way may have answered instead",
        )
    cache.publish(part, target)


def _fetch(url: str, part: Path, name: str, progress: Progress) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        last = attempt == ATTEMPTS
        try:
            wait = _attempt(url, part, name, progress, last)
        except (IncompleteRead, ProtocolError, ReadTimeoutError) as error:
            if last:
                have = part.stat().st_size if part.exists() else 0
                raise ArtifactError(
                    f"{url}: the connection broke {ATTEMPTS} times, at last after {have} bytes: {error}",
                    fix="run again: the download goes on where it stopped",
                ) from error
            wait = 0.2 * attempt
        except (HTTPError, OSError) as error:
            raise ArtifactError(
                f"{url}: {error}",
                fix="check network, proxy variables and disk; upstream_base_url names a mirror",
            ) from error
        if wait is None:
            return
        time.sleep(wait)


def _attempt(url: str, part: Path, name: str, progress: Progress, last: bool) -> float | None:
    """One request. Returns None when the file is whole, else the seconds to wait before the next attempt."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with _client(url) as http:
        response = http.request(
            "GET",
            url,
            headers=headers,
            preload_content=False,
            timeout=_TIMEOUT,
            retries=urllib3.Retry(total=None, connect=0, read=0, status=0, redirect=5),
        )
        try:
            if response.status == 416:  # the part is as long as the file, or longer: judged by its checksum
                return _restart(response, part, have)
            if response.status in _PASSING and not last:
                return _wait(response.headers.get("Retry-After"))
            if response.status not in (200, 206):
                raise _refused(url, response)
            _save(response, part, name, progress)
        finally:
            response.release_conn()
    return None


def _save(response: urllib3.BaseHTTPResponse, part: Path, name: str, progress: Progress) -> None:
    resuming = response.status == 206
    done = part.stat().st_size if resuming else 0
    if resuming and not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
        part.unlink()
        raise ProtocolError("the server answered with another range than the one asked for")
    length = response.headers.get("Content-Length")
    total = done + int(length) if length and length.isdigit() else None
    with part.open("ab" if resuming else "wb") as handle:
        progress(name, done, total)
        for chunk in response.stream(1 << 18, decode_content=False):
            handle.write(chunk)
            done += len(chunk)
            progress(name, done, total)


def _restart(response: urllib3.BaseHTTPResponse, part: Path, have: int) -> float | None:
    if response.headers.get("Content-Range", "") == f"bytes */{have}":
        return None
    part.unlink()
    return 0.0


def _wait(retry_after: str | None) -> float:
    return min(float(retry_after), _LONGEST_WAIT) if retry_after and retry_after.isdigit() else 1.0


def _refused(url: str, response: urllib3.BaseHTTPResponse) -> ArtifactError:
    return ArtifactError(
        f"{url}: the server answered {response.status} {response.reason or ''}".rstrip(),
        fix="check the version, and upstream_base_url or the component's mirror if one is set",
    )


def _client(url: str) -> urllib3.PoolManager:
    """A client that honours the environment's proxies, as curl and apt do."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and parts.hostname and not proxy_bypass(parts.hostname):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()
