"""pycri/sandbox/user_namespace.py: namespaces held by mounts, and what happens where none can be made."""

import asyncio
import os
from pathlib import Path

import pytest

from pycri.cni import netns
from pycri.container.spec.id_mappings import IdMappings, Range
from pycri.sandbox import user_namespace

MAPPINGS = IdMappings((Range(0, 100_000, 1000),), (Range(0, 200_000, 1000),))
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


def test_both_namespaces_outlive_the_helper(tmp_path):
    user, network = tmp_path / "user", tmp_path / "net"
    try:
        asyncio.run(user_namespace.create(str(user), str(network), MAPPINGS))
        assert netns.exists(str(network))
        own = Path("/proc/self/ns")
        assert user.stat().st_ino not in {0, (own / "user").stat().st_ino}
        assert network.stat().st_ino != (own / "net").stat().st_ino
    finally:
        netns.remove(str(user))
        netns.remove(str(network))


def test_a_host_without_user_namespaces_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(user_namespace, "_HELPER", "raise SystemExit('unshare: Operation not permitted')")
    with pytest.raises(OSError, match=r"no user namespace can be made.*Operation not permitted"):
        asyncio.run(user_namespace.create(str(tmp_path / "u"), str(tmp_path / "n"), MAPPINGS))
    assert list(tmp_path.iterdir()) == []
