"""pycri/container/spec: each CRI field's effect on the OCI spec."""

import json

import pytest

from pycri import cgroups, errors
from pycri._generated import cri_pb2 as cri
from pycri.container.spec import build, capabilities, devices, mounts, namespaces, process, resources, seccomp
from pycri.container.spec.mounts import SandboxFiles
from pycri.container.spec.users import User
from pycri.runtime_features import Features

FILES = SandboxFiles("/s/hostname", "/s/hosts", "/s/resolv.conf", "/s/shm")


def spec(config=None, pod=None, image=None, **linux):
    config = config or cri.ContainerConfig()
    config.metadata.name = "c"
    if not config.command:
        config.command.append("sh")
    sandbox = build.Pod("sid", pod or cri.PodSandboxConfig(), 42, "/run/netns/n", "host", FILES)
    return build.container_spec(config, image or {}, "image", User(0, 0, (0,)), sandbox, "/p/c", **linux)


def security(**fields):
    config = cri.ContainerConfig(command=["sh"])
    config.linux.security_context.CopyFrom(cri.LinuxContainerSecurityContext(**fields))
    return config


# process -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ([], [], ["/e", "c"]),
        ([], ["a"], ["/e", "a"]),
        (["x"], [], ["x"]),
        (["x"], ["a"], ["x", "a"]),
    ],
)
def test_command_and_args_replace_the_images_as_kubernetes_says(command, args, expected):
    config = cri.ContainerConfig(command=command, args=args)
    found = process.of_container(config, {"Entrypoint": ["/e"], "Cmd": ["c"]}, "h", User(0, 0))
    assert found["args"] == expected


def test_no_command_at_all_is_refused():
    with pytest.raises(errors.InvalidArgument, match="names a command"):
        process.of_container(cri.ContainerConfig(), {}, "h", User(0, 0))


def test_environment_is_the_images_overridden_by_the_pods():
    config = cri.ContainerConfig(command=["x"], tty=True)
    config.envs.add(key="A", value=b"2")
    found = process.of_container(config, {"Env": ["A=1", "PATH=/bin"]}, "h", User(0, 0))
    assert found["env"] == ["PATH=/bin", "HOSTNAME=h", "TERM=xterm", "A=2"]
    assert found["terminal"] is True


def test_environment_that_is_no_utf8_is_refused():
    config = cri.ContainerConfig(command=["x"], envs=[cri.KeyValue(key="B", value=b"\xff")])
    with pytest.raises(errors.InvalidArgument, match='"B" is not UTF-8'):
        process.of_container(config, {}, "h", User(0, 0))


@pytest.mark.parametrize("change", [{"working_dir": "relative"}, {"command": ["a\0b"]}])
def test_wrong_process_is_refused(change):
    with pytest.raises(errors.InvalidArgument):
        process.of_container(cri.ContainerConfig(**{"command": ["x"], **change}), {}, "h", User(0, 0))


def test_group_without_user_is_refused():
    config = security(run_as_group=cri.Int64Value(value=5))
    with pytest.raises(errors.InvalidArgument, match="run_as_group needs"):
        process.user_of(config, {}, build.users.UserFiles())


# capabilities ------------------------------------------------------------------------------------------


def names(**fields):
    found = capabilities.of_container(cri.Capability(**fields), privileged=False)
    return set(found["effective"])


def test_default_capabilities():
    assert names() == set(capabilities.DEFAULT) & set(capabilities.available())


def test_add_drop_and_all():
    assert "CAP_NET_ADMIN" in names(add_capabilities=["net_admin"])
    assert "CAP_KILL" not in names(drop_capabilities=["KILL"])
    assert names(drop_capabilities=["ALL"], add_capabilities=["CHOWN"]) == {"CAP_CHOWN"}
    assert names(add_capabilities=["ALL"]) == set(capabilities.available())


def test_inheritable_is_empty_but_for_ambient():
    """CVE-2022-24769."""
    assert "inheritable" not in capabilities.of_container(cri.Capability(), privileged=False)
    found = capabilities.of_container(cri.Capability(add_ambient_capabilities=["CHOWN"]), privileged=False)
    assert found["ambient"] == found["inheritable"] == ["CAP_CHOWN"]


def test_unknown_capability_is_refused():
    with pytest.raises(errors.InvalidArgument, match="FLY"):
        names(add_capabilities=["FLY"])


# namespaces --------------------------------------------------------------------------------------------


def kinds(wanted=None, pod=None, **more):
    found = namespaces.of_container(
        wanted or cri.NamespaceOption(), pod or cri.NamespaceOption(), 42, "/n", False, **more
    )
    return {item["type"]: item.get("path", "") for item in found if item["type"] != "cgroup"}


def test_a_container_joins_its_pod():
    assert kinds() == {
        "mount": "",
        "network": "/n",
        "uts": "/proc/42/ns/uts",
        "ipc": "/proc/42/ns/ipc",
        "pid": "/proc/42/ns/pid",
    }


def test_network_and_ipc_are_the_pods_whatever_the_container_says():
    pod = cri.NamespaceOption(network=cri.NODE, ipc=cri.NODE)
    assert kinds(pod=pod).keys() == {"mount", "pid"}


def test_pid_modes():
    assert kinds(cri.NamespaceOption(pid=cri.CONTAINER))["pid"] == ""
    assert "pid" not in kinds(cri.NamespaceOption(pid=cri.NODE))
    assert kinds(cri.NamespaceOption(pid=cri.TARGET, target_id="x"), target_pid=7)["pid"] == "/proc/7/ns/pid"
    with pytest.raises(errors.InvalidArgument, match='"x" does not run'):
        kinds(cri.NamespaceOption(pid=cri.TARGET, target_id="x"))


def test_a_user_namespace_is_the_pods():
    ids = [cri.IDMapping(host_id=1000, container_id=0, length=65536)]
    options = cri.NamespaceOption(userns_options=cri.UserNamespace(mode=cri.POD, uids=ids, gids=ids))
    assert kinds(options, pod=options)["user"] == "/proc/42/ns/user"
    pod = cri.PodSandboxConfig()
    pod.linux.security_context.namespace_options.CopyFrom(options)
    found = spec(security(namespace_options=options), pod)
    expected = [{"containerID": 0, "hostID": 1000, "size": 65536}]
    assert found["linux"]["uidMappings"] == found["linux"]["gidMappings"] == expected
    with pytest.raises(errors.InvalidArgument, match="not its pod's"):
        spec(security(namespace_options=options))
    with pytest.raises(errors.InvalidArgument, match="privileged"):
        spec(security(namespace_options=options, privileged=True), pod)


def test_id_mapped_mounts():
    ids = [cri.IDMapping(host_id=1000, container_id=0, length=1)]
    mount = cri.Mount(container_path="/x", host_path="/tmp", uidMappings=ids, gidMappings=ids)
    with pytest.raises(errors.InvalidArgument, match=r"runc can since 1\.2"):
        mounted(mount)
    found = mounted(mount, features=Features(idmapped_mounts=True))[0]["/x"]
    assert found["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]


# mounts ------------------------------------------------------------------------------------------------


def mounted(*wanted, **options):
    settings = {
        "privileged": False,
        "readonly_rootfs": False,
        "features": Features(recursive_read_only=True),
        **options,
    }
    found, propagation = mounts.of_container(wanted, FILES, **settings)
    return {item["destination"]: item for item in found}, propagation


def test_the_pods_files_are_mounted_unless_the_kubelet_brings_its_own(tmp_path):
    found, _ = mounted(cri.Mount(container_path="/etc/hosts", host_path=str(tmp_path)))
    assert found["/etc/hosts"]["source"] == str(tmp_path)
    assert found["/etc/resolv.conf"]["source"] == "/s/resolv.conf"
    assert found["/dev/shm"]["source"] == "/s/shm"


def test_parents_come_before_children(tmp_path):
    wanted = [cri.Mount(container_path=path, host_path=str(tmp_path)) for path in ("/a/b/c", "/a", "/a/b")]
    found, _ = mounted(*wanted)
    order = [path for path in found if path.startswith("/a")]
    assert order == ["/a", "/a/b", "/a/b/c"]


def test_an_images_own_volumes_mount_nothing():
    """CVE-2022-23648: a VOLUME once was a path that the host resolved."""
    evil = {"/../../../etc": {}, "/a/../../etc/shadow": {}, "relative": {}}
    with_volumes, without = spec(image={"Volumes": evil}), spec(image={})
    assert with_volumes == without


def test_missing_host_directory_is_made(tmp_path):
    mounted(cri.Mount(container_path="/x", host_path=str(tmp_path / "new/dir")))
    assert (tmp_path / "new/dir").is_dir()


def test_options(tmp_path):
    found, _ = mounted(cri.Mount(container_path="/x", host_path=str(tmp_path), readonly=True))
    assert found["/x"]["options"] == ["rbind", "rprivate", "ro"]
    mount = cri.Mount(container_path="/x", host_path=str(tmp_path), readonly=True, recursive_read_only=True)
    assert mounted(mount)[0]["/x"]["options"] == ["rbind", "rprivate", "rro"]


def test_recursive_read_only_is_refused_where_it_cannot_be():
    mount = cri.Mount(container_path="/x", host_path="/tmp", readonly=True, recursive_read_only=True)
    with pytest.raises(errors.InvalidArgument, match=r"^RROUnsupported:"):
        mounted(mount, features=Features())


@pytest.mark.parametrize(
    "change",
    [
        {"container_path": "x"},
        {"host_path": "x"},
        {"recursive_read_only": True},
        {"uidMappings": [cri.IDMapping()]},
        {"gidMappings": [cri.IDMapping()]},
        {"readonly": True, "recursive_read_only": True, "propagation": cri.PROPAGATION_BIDIRECTIONAL},
    ],
)
def test_wrong_mounts_are_refused(change):
    mount = cri.Mount(**{"container_path": "/x", "host_path": "/tmp", **change})
    with pytest.raises(errors.InvalidArgument):
        mounted(mount)


# resources, devices, the rest --------------------------------------------------------------------------


def test_resources():
    given = cri.LinuxContainerResources(cpu_shares=512, cpuset_cpus="0", memory_limit_in_bytes=1 << 20)
    found = resources.of_container(given)
    assert found["cpu"] == {"shares": 512, "cpus": "0"}
    assert found["memory"]["limit"] == 1 << 20
    assert found["memory"].get("swap", 1 << 20) == 1 << 20
    assert resources.of_container(cri.LinuxContainerResources()) == {}


@pytest.mark.parametrize("there", [True, False])
def test_hugepage_limits(monkeypatch, there):
    monkeypatch.setattr(cgroups, "has_hugetlb", lambda: there)
    limits = [cri.HugepageLimit(page_size="2MB", limit=4 << 20)]
    found = resources.of_container(cri.LinuxContainerResources(hugepage_limits=limits))
    assert found.get("hugepageLimits") == ([{"pageSize": "2MB", "limit": 4 << 20}] if there else None)


def test_unified_and_swap():
    given = cri.LinuxContainerResources(unified={"memory.high": "1"}, memory_limit_in_bytes=5)
    assert resources.of_container(given)["unified"] == {"memory.high": "1"}


def test_device_and_its_rule():
    nodes, rules = devices.of_container(
        [cri.Device(host_path="/dev/null", container_path="/dev/mine", permissions="r")], False
    )
    assert (nodes[0]["path"], nodes[0]["type"], nodes[0]["major"], nodes[0]["minor"]) == (
        "/dev/mine",
        "c",
        1,
        3,
    )
    assert rules == [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"},
    ]


def test_privileged_has_the_hosts_devices():
    nodes, rules = devices.of_container([], True)
    assert "/dev/zero" in {node["path"] for node in nodes}
    assert rules == [{"allow": True, "access": "rwm"}]


@pytest.mark.parametrize(
    "device", [cri.Device(host_path="/etc/passwd"), cri.Device(host_path="/dev/null", permissions="x")]
)
def test_what_is_no_device_is_refused(device):
    with pytest.raises(errors.InvalidArgument):
        devices.of_container([device], False)


def test_a_cdi_device_nobody_describes_is_refused():
    config = cri.ContainerConfig(command=["sh"], CDI_devices=[cri.CDIDevice(name="vendor.test/gpu=0")])
    with pytest.raises(errors.InvalidArgument, match="gpu=0"):
        spec(config)


def test_masked_paths_are_those_given():
    assert spec()["linux"]["maskedPaths"] == []  # procMount: Unmasked
    found = spec(security(masked_paths=["/x"], readonly_paths=["/y"]))["linux"]
    assert (found["maskedPaths"], found["readonlyPaths"]) == (["/x"], ["/y"])
    assert "maskedPaths" not in spec(security(privileged=True))["linux"]


def test_seccomp_profiles(tmp_path):
    kind = cri.SecurityProfile
    assert "seccomp" not in spec()["linux"]
    default = spec(security(seccomp=kind(profile_type=kind.RuntimeDefault)))["linux"]["seccomp"]
    assert default["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = default["syscalls"][0]["names"]
    assert "openat" in allowed
    assert not {"mount", "bpf", "keyctl", "kexec_load"} & set(allowed)
    assert "clone" in seccomp.default_profile(frozenset({"CAP_SYS_ADMIN"}), "x86_64")["syscalls"][0]["names"]
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW"}))
    local = spec(security(seccomp=kind(profile_type=kind.Localhost, localhost_ref=str(path))))
    assert local["linux"]["seccomp"] == {"defaultAction": "SCMP_ACT_ALLOW"}
    old = spec(security(seccomp_profile_path=f"localhost/{path}"))
    assert old["linux"]["seccomp"] == {"defaultAction": "SCMP_ACT_ALLOW"}


@pytest.mark.parametrize("ref", ["relative.json", "/nonexistent/p.json"])
def test_a_missing_localhost_profile_is_refused(ref):
    kind = cri.SecurityProfile
    with pytest.raises(errors.InvalidArgument):
        spec(security(seccomp=kind(profile_type=kind.Localhost, localhost_ref=ref)))


def test_cgroup_paths():
    assert cgroups.path("cgroupfs", "/kubepods/pod1", "id") == "/kubepods/pod1/id"
    assert cgroups.path("cgroupfs", "", "id") == "/k8s.io/id"
    slices = "/kubepods.slice/kubepods-pod1.slice"
    assert cgroups.path("systemd", slices, "id") == "kubepods-pod1.slice:cri-containerd:id"
    assert cgroups.path("systemd", "", "id") == "system.slice:cri-containerd:id"
    with pytest.raises(errors.InvalidArgument, match="cgroupDriver to cgroupfs"):
        cgroups.path("cgroupfs", slices, "id")
    with pytest.raises(errors.InvalidArgument, match="cgroupDriver to systemd"):
        cgroups.path("systemd", "/kubepods/pod1", "id")
    with pytest.raises(errors.InvalidArgument):
        cgroups.path("cgroupfs", "/../../x", "id")
