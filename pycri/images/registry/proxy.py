"""The proxy for a URL, from the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), as containerd finds it."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_for(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """The proxy's URL, or empty: no proxy is set, ``url`` is on loopback, or NO_PROXY covers it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = _variable(environment, f"{parts.scheme}_proxy")
    if not proxy or host == "localhost" or _bypassed(host, parts.port, _variable(environment, "no_proxy")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.upper()) or environment.get(name) or ""


def _bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None and address.is_loopback:
        return True
    for entry in (item.strip().lower() for item in no_proxy.split(",")):
        if not entry:
            continue
        if entry == "*":
            return True
        if address is not None and "/" in entry:
            try:
                if address in ipaddress.ip_network(entry, strict=False):
                    return True
            except ValueError:
                continue
        name, colon, entry_port = entry.rpartition(":")
        if colon and entry_port.isdigit() and "]" not in entry_port and ":" not in name:
            if port is not None and int(entry_port) != port:
                continue
            entry = name
        entry = entry.removeprefix("*")
        if host == entry.lstrip(".") or host.endswith(f".{entry.lstrip('.')}"):
            return True
    return False
