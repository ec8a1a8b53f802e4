"""Where to pull a registry's images from: ``<directory>/<host>/hosts.toml``, as containerd reads it.

Format: https://github.com/containerd/containerd/blob/main/docs/hosts.md. Without a file for the host, the
one in ``_default`` counts; without that, the registry itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pycri.errors import FailedPrecondition
from pycri.images.reference import DEFAULT_DOMAIN

_CAPABILITIES = frozenset({"pull", "resolve", "push", "referrers"})
_IGNORED = frozenset({"dial_timeout"})  # of containerd 2.x; pycri has a progress timeout


@dataclass(frozen=True)
class Host:
    """One endpoint. ``url`` is the API's base, up to and including ``/v2`` unless the path is overridden."""

    url: str
    is_registry: bool = False
    can_pull: bool = True
    can_resolve: bool = True
    ca: tuple[Path, ...] = ()
    client: tuple[tuple[Path, Path | None], ...] = ()
    skip_verify: bool = False
    header: Mapping[str, str] = field(default_factory=dict)

    @property
    def netloc(self) -> str:
        return urlsplit(self.url).netloc


def hosts_for(registry: str, directory: Path) -> list[Host]:
    """The endpoints for images of ``registry``, in the order to try: mirrors, then the registry itself.

    Raises FailedPrecondition, naming file and line, if the configuration cannot be used.
    """
    for name in _directory_names(registry):
        place = directory / name
        path = place / "hosts.toml"
        if path.is_file():
            return _Reader(path, registry).hosts()
        if place.is_dir() and name != "_default":
            return [_certificates(place, registry)]
    return [Host(default_url(registry), is_registry=True)]


def default_url(registry: str) -> str:
    """A registry's base URL: HTTPS, except on this machine's loopback, where port 443 alone means HTTPS."""
    if registry == DEFAULT_DOMAIN:
        registry = "registry-1.docker.io"
    return f"{_default_scheme(registry)}://{registry}/v2"


def _default_scheme(netloc: str) -> str:
    parts = urlsplit(f"//{netloc}")
    try:
        loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = parts.hostname == "localhost"
    return "http" if loopback and parts.port != 443 else "https"


def _directory_names(registry: str) -> list[str]:
    """``host:port`` may be spelt ``host_port_``, for file systems without colons."""
    names = [registry, re.sub(r":(\d+)$", r"_\1_", registry), "_default"]
    return list(dict.fromkeys(names))


def _certificates(place: Path, registry: str) -> Host:
    """Docker's layout: ``*.crt`` are CAs, ``X.cert`` with ``X.key`` client certificates."""
    return Host(
        default_url(registry),
        is_registry=True,
        ca=tuple(sorted(place.glob("*.crt"))),
        client=tuple((cert, cert.with_suffix(".key")) for cert in sorted(place.glob("*.cert"))),
    )


class _Reader:
    """Reads one hosts.toml; knows its lines for error messages."""

    def __init__(self, path: Path, registry: str) -> None:
        self.path = path
        self.registry = registry
        try:
            self.text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FailedPrecondition(f"registry configuration {path} cannot be read: {error}") from None

    def hosts(self) -> list[Host]:
        document = self._parse()
        root = {key: value for key, value in document.items() if key not in ("server", "host")}
        mirrors = document.get("host", {})
        if not isinstance(mirrors, dict):
            raise self._error("host", 'expected sections such as [host."https://mirror.example"]')
        found = [self._host(url, section, is_registry=False) for url, section in mirrors.items()]
        server = document.get("server") or default_url(self.registry)
        if not isinstance(server, str):
            raise self._error("server", "expected a URL")
        registry = self._host(server, root, is_registry=True)
        # A mirror list may end with the registry itself, with settings of its own.
        return found if any(host.url == registry.url for host in found) else [*found, registry]

    def _parse(self) -> dict[str, Any]:
        try:
            import tomllib
        except ModuleNotFoundError:  # pragma: no cover - Python 3.10
            import tomli as tomllib  # type: ignore[no-redef]
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            number = line[1] if line else self.text.count("\n") + 1  # "at end of document"
            raise FailedPrecondition(f"{self.path}:{number}: not valid TOML: {error}") from None

    def _host(self, url: str, section: object, *, is_registry: bool) -> Host:
        if not isinstance(section, dict):
            raise self._error(url, f'expected a section [host."{url}"]')
        within = "" if is_registry else url
        known = {"capabilities", "ca", "client", "skip_verify", "override_path", "header", *_IGNORED}
        for key in section:
            if key not in known:
                raise self._error(key, f'unknown key "{key}"; known are {", ".join(sorted(known))}', within)
        capabilities = self._strings(section, "capabilities", within)
        for capability in capabilities:
            if capability not in _CAPABILITIES:
                raise self._error("capabilities", f'"{capability}" is not a capability', within)
        override = self._flag(section, "override_path", within)
        return Host(
            url=self._url(url, override=override),
            is_registry=is_registry or self._is_registry(url),
            can_pull=not capabilities or "pull" in capabilities,
            can_resolve=not capabilities or "resolve" in capabilities,
            ca=tuple(self._file(name) for name in self._strings(section, "ca", within)),
            client=self._client(section, within),
            skip_verify=self._flag(section, "skip_verify", within),
            header=self._header(section, within),
        )

    def _is_registry(self, url: str) -> bool:
        return (
            urlsplit(url if "://" in url else f"//{url}").netloc
            == urlsplit(default_url(self.registry)).netloc
        )

    def _url(self, text: str, *, override: bool) -> str:
        parts = urlsplit(text if "://" in text else f"{_default_scheme(text.partition('/')[0])}://{text}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise self._error(text, f'"{text}" is not an http or https URL')
        if parts.username is not None:
            raise self._error(text, "credentials do not belong into a URL; use a pull secret or a header")
        path = parts.path.rstrip("/")
        if not override and not path.endswith("/v2"):
            path += "/v2"
        return f"{parts.scheme}://{parts.netloc}{path}"

    def _flag(self, section: dict[str, Any], key: str, within: str) -> bool:
        value = section.get(key, False)
        if not isinstance(value, bool):
            raise self._error(key, f"{key} is true or false, not {value!r}", within)
        return value

    def _strings(self, section: dict[str, Any], key: str, within: str) -> list[str]:
        value = section.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._error(key, f"{key} is a string or a list of strings", within)
        return value

    def _client(self, section: dict[str, Any], within: str) -> tuple[tuple[Path, Path | None], ...]:
        value = section.get("client", [])
        value = [value] if isinstance(value, str) else value
        pairs = []
        for item in value if isinstance(value, list) else [None]:
            pair = [item] if isinstance(item, str) else item
            if (
                not isinstance(pair, list)
                or len(pair) not in (1, 2)
                or not all(isinstance(p, str) for p in pair)
            ):
                raise self._error("client", 'client is a file, or a list of ["cert", "key"] pairs', within)
            pairs.append((self._file(pair[0]), self._file(pair[1]) if len(pair) == 2 and pair[1] else None))
        return tuple(pairs)

    def _header(self, section: dict[str, Any], within: str) -> dict[str, str]:
        value = section.get("header", {})
        if not isinstance(value, dict):
            raise self._error("header", "header is a section of names and values", within)
        headers = {}
        for name in value:
            joined = ", ".join(self._strings(value, name, within))
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[\r\n\0]", joined):
                raise self._error(name, f'"{name}" is not a usable HTTP header', within)
            headers[name] = joined
        return headers

    def _file(self, name: str) -> Path:
        return self.path.parent / name  # an absolute name stays as it is

    def _error(self, key: str, why: str, within: str = "") -> FailedPrecondition:
        return FailedPrecondition(f"{self.path}:{self._line(key, within)}: {why}")

    def _line(self, key: str, within: str) -> int:
        """The first line that starts with ``key``, after the one that names the section ``within``."""
        inside = not within
        for number, line in enumerate(self.text.splitlines(), 1):
            if not inside:
                inside = line.lstrip().startswith("[") and within in line
            stripped = line.strip().lstrip("['\"")
            if inside and (stripped.startswith(key) or f'"{key}"' in line):
                return number
        return 1
