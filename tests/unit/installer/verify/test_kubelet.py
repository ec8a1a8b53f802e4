"""Pods beside a kubelet."""

from __future__ import annotations

import pytest

from installer.verify.check import NotApplicable
from installer.verify.host import HostError
from installer.verify.kubelet import paused, refuse_beside_kubelet
from tests.unit.installer.verify.scripted_host import ScriptedHost

SOCKET = "/run/pycri/pycri.sock"


def test_no_kubelet_no_objection() -> None:
    refuse_beside_kubelet(ScriptedHost(), SOCKET)
    refuse_beside_kubelet(ScriptedHost(uid=1000), SOCKET)


def test_a_kubelet_on_this_endpoint_or_an_unknown_one_is_in_the_way() -> None:
    for line in (f"kubelet --container-runtime-endpoint=unix://{SOCKET} ", "kubelet --config=/x "):
        with pytest.raises(NotApplicable, match="--pause-kubelet"):
            refuse_beside_kubelet(ScriptedHost(lambda _script, line=line: line.encode()), SOCKET)


def test_a_kubelet_of_another_runtime_is_not() -> None:
    line = b"kubelet --container-runtime-endpoint=unix:///run/containerd/containerd.sock \n"
    refuse_beside_kubelet(ScriptedHost(lambda _script: line), SOCKET)


def test_pausing_starts_it_again_whatever_happens() -> None:
    host = ScriptedHost()
    with pytest.raises(RuntimeError), paused(host):
        raise RuntimeError
    assert [script.split()[1] for script in host.scripts] == ["is-active", "stop", "start"]


def test_an_inactive_kubelet_is_left_alone() -> None:
    host = ScriptedHost(lambda script: 3 if "is-active" in script else b"")
    with paused(host):
        pass
    assert len(host.scripts) == 1


def test_a_kubelet_that_will_not_start_is_said() -> None:
    host = ScriptedHost(lambda script: 1 if " start " in script else b"")
    with pytest.raises(HostError, match="could not be started again"), paused(host):
        pass
