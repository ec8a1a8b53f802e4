"""pycri/sandbox/files.py and spec.py: what a pod gets, and what is refused."""

import socket
from pathlib import Path

import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.config import Config
from pycri.sandbox import files
from pycri.sandbox.spec import needs_interface, sandbox_spec, sysctls
from pycri.store import SandboxRecord


def pod(**fields):
    return cri.PodSandboxConfig(metadata=cri.PodSandboxMetadata(name="p", namespace="n", uid="u"), **fields)


def with_sysctls(wanted, **options):
    linux = cri.LinuxPodSandboxConfig(sysctls=wanted)
    linux.security_context.namespace_options.CopyFrom(cri.NamespaceOption(**options))
    return pod(linux=linux)


@pytest.fixture
def config(tmp_path):
    return Config(root=str(tmp_path / "root"), run=str(tmp_path / "run"))


def made(config, given):
    given.linux.security_context.namespace_options.ipc = cri.NODE  # no shm to mount: this is a unit test
    files.create(config, "id", given)
    return files.paths(config, "id", given)


def test_resolv_conf_is_written_from_the_dns_config(config):
    dns = cri.DNSConfig(servers=["1.1.1.1", "fd00::1"], searches=["a.b", "c"], options=["ndots:5"])
    found = made(config, pod(dns_config=dns, hostname="web"))
    assert Path(found.resolv_conf).read_text() == (
        "search a.b c\nnameserver 1.1.1.1\nnameserver fd00::1\noptions ndots:5\n"
    )
    assert Path(found.hostname).read_text() == "web\n"
    assert found.shm == "/dev/shm"
    files.remove(config, "id")
    files.remove(config, "id")


def test_log_directory_is_made(config, tmp_path):
    made(config, pod(log_directory=str(tmp_path / "logs/pod")))
    assert (tmp_path / "logs/pod").is_dir()


def test_hostname_is_the_hosts_when_the_cri_gives_none():
    assert files.hostname(pod()) == socket.gethostname()


@pytest.mark.parametrize(
    "fields",
    [
        {"hostname": "a\nb"},
        {"hostname": "a" * 65},
        {"dns_config": cri.DNSConfig(servers=["1.1.1.1\nnameserver 6.6.6.6"])},
        {"dns_config": cri.DNSConfig(options=["a b"])},
    ],
)
def test_what_would_break_a_line_is_refused(fields):
    """CVE-2026-15809 and its kind."""
    with pytest.raises(errors.InvalidArgument):
        files.validate(pod(**fields))


def test_sysctls_of_the_pods_namespaces():
    wanted = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "fs/mqueue/msg_max": "100"}
    assert sysctls(with_sysctls(wanted)) == wanted


@pytest.mark.parametrize(
    ("name", "value", "options"),
    [
        ("kernel.shm_rmid_forced", "1+net.ipv4.ip_forward=1\n", {}),
        ("kernel.shm+x", "1", {}),  # CVE-2022-0811
        ("kernel.panic", "1", {}),
        ("vm.swappiness", "1", {}),
        ("net.ipv4.ip_forward", "1", {"network": cri.NODE}),
        ("kernel.sem", "1", {"ipc": cri.NODE}),
        ("../etc/passwd", "1", {}),
    ],
)
def test_other_sysctls_are_refused(name, value, options):
    with pytest.raises(errors.InvalidArgument):
        sysctls(with_sysctls({name: value}, **options))


def test_an_interfaces_sysctl_waits_for_the_interface():
    assert needs_interface(with_sysctls({"net.ipv4.conf.eth0.forwarding": "1"}))
    assert not needs_interface(with_sysctls({"net.ipv4.ip_forward": "1"}))


def record(config):
    return SandboxRecord(id="i" * 64, config=config, created_at=1, netns="/run/netns/n", cgroup="/p/i")


def test_pause_spec():
    found = sandbox_spec(
        record(with_sysctls({"net.ipv4.ip_forward": "1"})), {"Entrypoint": ["/pause"]}, "web"
    )
    kinds = {item["type"]: item.get("path") for item in found["linux"]["namespaces"]}
    assert kinds == {"mount": None, "network": "/run/netns/n", "uts": None, "ipc": None, "pid": None}
    assert found["hostname"] == "web"
    assert found["linux"]["sysctl"] == {"net.ipv4.ip_forward": "1"}
    assert found["annotations"]["io.kubernetes.cri.container-type"] == "sandbox"
    assert found["root"]["readonly"]


def test_pause_spec_of_a_host_pod():
    found = sandbox_spec(record(with_sysctls({}, network=cri.NODE, pid=cri.NODE, ipc=cri.NODE)), {}, "web")
    assert [item["type"] for item in found["linux"]["namespaces"]] == ["mount"]
    assert "hostname" not in found


@pytest.mark.parametrize(
    ("fields", "user", "filtered"),
    [
        ({}, (0, 0, [0]), False),
        ({"readonly_rootfs": True}, (0, 0, [0]), False),
        (
            {"run_as_user": cri.Int64Value(value=5), "supplemental_groups": [7]},
            (5, 0, [0, 7]),
            False,
        ),
        (
            {"supplemental_groups": [7], "supplemental_groups_policy": cri.Strict},
            (0, 0, [0, 7]),
            False,
        ),
        ({"seccomp_profile_path": "runtime/default"}, (0, 0, [0]), True),
        ({"seccomp_profile_path": "runtime/default", "privileged": True}, (0, 0, [0]), False),
        ({"seccomp_profile_path": "unconfined"}, (0, 0, [0]), False),
    ],
)
def test_pause_spec_of_every_security_context(fields, user, filtered):
    context = cri.LinuxSandboxSecurityContext(**fields)
    config = cri.PodSandboxConfig(linux=cri.LinuxPodSandboxConfig(security_context=context))
    found = sandbox_spec(record(config), {"Entrypoint": ["/pause"]}, "web")
    assert found["root"]["readonly"]
    assert tuple(found["process"]["user"].values()) == user
    assert ("seccomp" in found["linux"]) == filtered
