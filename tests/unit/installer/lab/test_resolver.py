"""Hosts resolve names where they can reach a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from installer.lab.resolver import hosts_file, resolv_conf
from installer.lab.state import Host

if TYPE_CHECKING:
    from pathlib import Path


def _root(tmp_path: Path, own: str, resolved: str | None = None) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text(own)
    if resolved is not None:
        (tmp_path / "run/systemd/resolve").mkdir(parents=True)
        (tmp_path / "run/systemd/resolve/resolv.conf").write_text(resolved)
    return tmp_path


def test_a_reachable_server_is_kept(tmp_path: Path) -> None:
    text = "search example\nnameserver 192.0.2.53\noptions ndots:2\n"
    assert resolv_conf(_root(tmp_path, text)) == text


def test_behind_resolveds_stub_its_upstreams_are_taken(tmp_path: Path) -> None:
    root = _root(tmp_path, "nameserver 127.0.0.53\n", "nameserver 192.0.2.53\n")
    assert resolv_conf(root) == "nameserver 192.0.2.53\n"


def test_a_loopback_server_is_left_out(tmp_path: Path) -> None:
    root = _root(tmp_path, "nameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.53\n")
    assert resolv_conf(root) == "nameserver 192.0.2.53\n"


def test_no_resolver_at_all_is_no_error(tmp_path: Path) -> None:
    assert resolv_conf(tmp_path) == ""


def test_hosts_know_each_other_and_the_controllers_neighbours(tmp_path: Path) -> None:
    root = _root(tmp_path, "")
    (root / "etc/hosts").write_text(
        "127.0.0.1 localhost me\n192.0.2.7 mirror # ours\n::1 ip6\nff02::1 all\njunk\n"
    )
    lines = hosts_file(
        [Host("node1", 1, "10.213.0.11"), Host("vm1", 1, "127.0.0.1", 2201)], root
    ).splitlines()
    assert lines[2:] == ["10.213.0.11 node1", "192.0.2.7 mirror"]
