"""pycri from its release archive on a host that nodestrap has not touched, by the archive's own README."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from installer.artifacts import release
from installer.cluster.state import artifact_cache_dir
from pycri.version import __version__
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

LAB = "byhand"


@dataclass(frozen=True)
class Host:
    nodestrap: Nodestrap

    def on(self, command: str) -> str:
        return self.nodestrap.on(LAB, "node1", command)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("byhand")
    nodestrap = Nodestrap(home)
    archive = release.build(home / "dist", os.uname().machine, artifact_cache_dir())
    try:
        nodestrap.lab_up(LAB, "--nodes", "1")
        shutil.copy(archive, home / "state/nodestrap/labs" / LAB / "hosts/node1/root/root/pycri.tar.gz")
        found = Host(nodestrap)
        found.on(
            "apt-get -qq update && apt-get -qq -y --no-install-recommends install containerd runc python3 >&2"
        )
        found.on("tar -C /root -xzf /root/pycri.tar.gz && mv /root/pycri-*/ /root/release")
        yield found
    finally:
        nodestrap.lab_down(LAB)


def test_it_installs_and_the_socket_answers(host: Host) -> None:
    said = host.on("/root/release/install")
    assert __version__ in said
    assert "enable --now" in said
    host.on(
        "cp /root/release/containerd/config-v2.toml /etc/containerd/config.toml; systemctl restart containerd"
    )
    host.on("systemctl enable --now pycri-io pycri 2>&1")
    assert __version__ in host.on("pycri --version")
    assert "pycri" in host.on("pycri ctl version")
    assert "RuntimeReady" in host.on("pycri ctl info")
    host.on("systemctl is-active pycri pycri-io")


def test_a_second_installation_keeps_the_configuration(host: Host) -> None:
    host.on(
        "echo '# mine' >> /etc/pycri/config.toml && /root/release/install && systemctl restart pycri-io pycri"
    )
    assert host.on("tail -1 /etc/pycri/config.toml") == "# mine\n"
    assert "pycri" in host.on("pycri ctl version")


def test_a_damaged_archive_is_not_installed(host: Host) -> None:
    host.on("cp -r /root/release /root/damaged && echo x >> /root/damaged/config.toml")
    host.on("! /root/damaged/install 2>/dev/null")
