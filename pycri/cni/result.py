"""The result of a CNI ADD: the pod's addresses out of result versions 0.3.0 to 1.1."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """``raw`` is kept for prevResult; ``ips`` are the pod interface's addresses, in the plugin's order."""

    raw: Mapping[str, Any]
    ips: tuple[str, ...]

    def dump(self) -> str:
        return json.dumps(self.raw, separators=(",", ":"))


def parse(output: bytes | str | Mapping[str, Any], interface: str = "eth0") -> Result:
    """Read what the last plugin printed. Raises ValueError."""
    data = json.loads(output) if isinstance(output, (bytes, str)) else output
    if not isinstance(data, dict):
        raise ValueError("a CNI result is a JSON object")
    if "ip4" in data or "ip6" in data:
        raise ValueError(
            "the plugin answered in result version 0.2.0; give the conflist cniVersion 0.3.1 or later"
        )
    interfaces = data.get("interfaces") or []
    ips = data.get("ips") or []
    if not isinstance(interfaces, list) or not isinstance(ips, list):
        raise ValueError('"interfaces" and "ips" of a CNI result are lists')
    return Result(data, tuple(_address(ip) for ip in ips if _belongs(ip, interfaces, interface)))


def _belongs(ip: object, interfaces: list[Any], wanted: str) -> bool:
    """Whether the address sits on the pod's interface (an address without an index always does)."""
    index = ip.get("interface") if isinstance(ip, dict) else None
    if index is None:
        return True
    if not isinstance(index, int) or not 0 <= index < len(interfaces):
        raise ValueError(f"a CNI result names interface {index!r} of {len(interfaces)}")
    link = interfaces[index]
    return isinstance(link, dict) and bool(link.get("sandbox")) and link.get("name") == wanted


def _address(ip: object) -> str:
    text = ip.get("address") if isinstance(ip, dict) else None
    if not isinstance(text, str):
        raise ValueError(f"a CNI result holds an address of the wrong form: {ip!r}")
    return str(ipaddress.ip_interface(text).ip)
