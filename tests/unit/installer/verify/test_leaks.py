"""What is taken for a leak, and what is not."""

from __future__ import annotations

import subprocess

import pytest

from installer.verify.host import HostError, LocalHost
from installer.verify.leaks import PodTraces, host_links, leaked
from tests.unit.installer.verify.scripted_host import ScriptedHost

ID = "a" * 64
MOUNTS = b"12 1 0:4 net:[4026532177] /run/netns/cni-1 rw shared:5 - nsfs nsfs rw\n"
TRACES = PodTraces("net:[4026532177]", ("/run/netns/cni-1",), (("7", "veth1"),))


def host(*, links: bytes = b"", mounts: bytes = b"", found: bytes = b"") -> ScriptedHost:
    def answer(script: str) -> bytes:
        if "ip -o link" in script:
            return links
        return mounts if script == "cat /proc/self/mountinfo" else found

    return ScriptedHost(answer)


def test_a_clean_host() -> None:
    assert leaked(host(), {ID}, TRACES) == []


def test_each_kind_is_named() -> None:
    found = leaked(host(links=b"7: veth1@if2: <UP>\n", mounts=MOUNTS, found=b"mount /x\n"), {ID}, TRACES)
    assert found == ["mount /x", "network namespace /run/netns/cni-1", "interface veth1"]


def test_others_interfaces_and_namespaces_are_not_ours() -> None:
    elsewhere = MOUNTS.replace(b"cni-1", b"cni-2")  # the inode was given out again
    assert leaked(host(links=b"8: veth1@if2: <UP>\n7: veth2: <UP>\n", mounts=elsewhere), {ID}, TRACES) == []


def test_an_id_that_would_match_anything_is_refused() -> None:
    with pytest.raises(HostError, match="no id"):
        leaked(host(), {""}, TRACES)


def test_links_of_this_machine() -> None:
    assert ("1", "lo") in host_links(LocalHost())


def test_a_process_is_found_by_its_arguments() -> None:
    marker = "f" * 64
    with subprocess.Popen(["sleep", "60"]) as innocent:
        with subprocess.Popen(["sh", "-c", "read line", marker], stdin=subprocess.PIPE) as guilty:
            found = leaked(LocalHost(), {marker}, PodTraces("net:[0]", (), ()))
            assert found == [f"process {guilty.pid} by its cmdline"]
            guilty.communicate(b"\n")
        innocent.kill()
