"""What is wrong with the node's registry configuration, before a pull meets it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pycri.errors import FailedPrecondition
from pycri.images.registry.errors import RegistryError
from pycri.images.registry.hosts import hosts_for
from pycri.images.registry.tls import tls_context

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")


def problems(directory: Path, environment: Mapping[str, str] = os.environ) -> list[str]:
    """One line for each: ``hosts.toml`` by file and line, certificates, proxies. Nothing is contacted."""
    found = [problem for place in _places(directory) if (problem := _registry(place))]
    return found + [problem for name in _PROXIES if (problem := _proxy(name, environment.get(name, "")))]


def _places(directory: Path) -> list[Path]:
    try:
        return sorted(place for place in directory.iterdir() if place.is_dir())
    except OSError:
        return []  # no such directory: every registry is asked directly


def _registry(place: Path) -> str:
    try:
        for host in hosts_for(place.name, place.parent):
            if host.ca or host.client:  # else only the system's CAs would be read, for nothing
                tls_context(host)
    except FailedPrecondition as error:
        return str(error)
    except RegistryError as error:
        return f"{place}: {error}"
    return ""


def _proxy(name: str, value: str) -> str:
    if not value:
        return ""
    parts = urlsplit(value if "://" in value else f"http://{value}")
    try:
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if not wrong:
        return ""
    shown = value.rpartition("@")[2]  # what is in front may be a password
    return f"the environment's {name} ({shown}) is not a proxy's URL such as http://proxy.example:3128"
