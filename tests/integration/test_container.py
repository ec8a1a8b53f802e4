"""Containers over the CRI: what is asked for is read back inside them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.lab.standard_images import BUSYBOX
from installer.verify.client import CriError
from pycri._generated import cri_pb2 as cri
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import Pods, await_true

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    with control_node(tmp_path_factory.mktemp("node")) as made:
        yield made


@pytest.fixture(scope="module")
def pods(node: ControlNode) -> Pods:
    return node.pods


@pytest.fixture
def pod(pods: Pods) -> Iterator[str]:
    made = pods.run(hostname="web-0")
    yield made
    pods.remove_pod(made)


def text(pods: Pods, container: str, *command: str) -> str:
    result = pods.exec(container, *command)
    assert result.exit_code == 0, result.stderr
    return str(result.stdout.decode())


def secured(**fields: object) -> cri.LinuxContainerConfig:
    return cri.LinuxContainerConfig(security_context=cri.LinuxContainerSecurityContext(**fields))


def log_of(pods: Pods, container: str) -> str:
    return Path(pods.status(container).log_path).read_text()


def test_life_of_a_container(pods: Pods, pod: str) -> None:
    container = pods.create(pod, "sh", "-c", "echo out; echo err >&2; exit 3", labels={"a": "b"})
    assert pods.status(container).state == cri.CONTAINER_CREATED
    pods.runtime.StartContainer(cri.StartContainerRequest(container_id=container))
    status = pods.await_exit(container)
    assert (status.exit_code, status.reason) == (3, "Error")
    assert 0 < status.created_at <= status.started_at <= status.finished_at
    lines = {line.split(" ", 1)[1] for line in log_of(pods, container).splitlines()}
    assert lines == {"stdout F out", "stderr F err"}
    wanted = cri.ContainerFilter(label_selector={"a": "b"}, pod_sandbox_id=pod)
    listed = pods.runtime.ListContainers(cri.ListContainersRequest(filter=wanted)).containers
    assert [(item.id, item.state) for item in listed] == [(container, cri.CONTAINER_EXITED)]
    for _ in range(2):
        pods.runtime.RemoveContainer(cri.RemoveContainerRequest(container_id=container))
    with pytest.raises(CriError, match="NOT_FOUND"):
        pods.status(container)


def test_the_exit_is_published_with_a_complete_log(pods: Pods, pod: str) -> None:
    """Short jobs and FallbackToLogsOnError would lose their last lines."""
    container = pods.start(pod, "sh", "-c", "seq 5000")
    pods.await_exit(container)
    assert len(log_of(pods, container).splitlines()) == 5000


def test_stop_asks_first_and_kills_then(pods: Pods, pod: str) -> None:
    polite = pods.start(pod, "sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done")
    stubborn = pods.start(pod, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done")
    for container in (polite, stubborn):
        await_true(lambda container=container: "up" in log_of(pods, container))
    pods.stop(polite, timeout=10)
    begun = time.monotonic()
    pods.stop(stubborn, timeout=1)
    assert 0.9 < time.monotonic() - begun < 8
    assert pods.status(polite).exit_code == 7
    assert pods.status(stubborn).exit_code == 137
    pods.stop(polite)
    pods.stop("0" * 64)


def test_stop_signal_of_the_pod(pods: Pods, pod: str) -> None:
    command = ("sh", "-c", "trap 'exit 9' USR1; echo up; while :; do sleep 0.05; done")
    container = pods.start(pod, *command, stop_signal=cri.SIGUSR1)
    await_true(lambda: "up" in log_of(pods, container))
    pods.stop(container, timeout=10)
    assert pods.status(container).exit_code == 9


def test_a_command_that_cannot_start_is_reported(pods: Pods, pod: str) -> None:
    with pytest.raises(CriError, match="no-such-command"):
        pods.start(pod, "no-such-command")
    (found,) = pods.runtime.ListContainers(cri.ListContainersRequest()).containers
    status = pods.status(found.id)
    assert (status.state, status.exit_code, status.reason) == (cri.CONTAINER_EXITED, 128, "StartError")
    assert "no-such-command" in status.message


def test_starting_twice_is_refused(pods: Pods, pod: str) -> None:
    container = pods.start(pod, "sleep", "1000")
    with pytest.raises(CriError, match=r"FAILED_PRECONDITION.*CONTAINER_RUNNING"):
        pods.runtime.StartContainer(cri.StartContainerRequest(container_id=container))


def test_the_same_create_again_is_the_same_container(pods: Pods, pod: str) -> None:
    config = pods.container(pod, "sleep", "1")
    assert pods.create(pod, config=config) == pods.create(pod, config=config)
    config.labels["x"] = "y"
    with pytest.raises(CriError, match="ALREADY_EXISTS"):
        pods.create(pod, config=config)


def test_what_is_missing_is_named(pods: Pods, pod: str) -> None:
    with pytest.raises(CriError, match="NOT_FOUND"):
        pods.create("0" * 64, "true")
    with pytest.raises(CriError, match=r"NOT_FOUND.*nowhere\.test"):
        pods.create(pod, "true", image=cri.ImageSpec(image="nowhere.test/x:1"))
    stopped = pods.run()
    pods.runtime.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=stopped))
    with pytest.raises(CriError, match="FAILED_PRECONDITION"):
        pods.create(stopped, "true")
    pods.remove_pod(stopped)


def test_process(pods: Pods, pod: str) -> None:
    envs = [cri.KeyValue(key="WORD", value=b"a b")]
    container = pods.start(pod, "sleep", "1000", working_dir="/tmp", envs=envs)
    assert text(pods, container, "sh", "-c", 'echo "$WORD $HOSTNAME"; pwd').splitlines() == [
        "a b web-0",
        "/tmp",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "uid=0(root) gid=0(root)"),
        ({"run_as_user": cri.Int64Value(value=1234)}, "uid=1234 gid=0(root)"),
        (
            {
                "run_as_user": cri.Int64Value(value=1234),
                "run_as_group": cri.Int64Value(value=5),
                "supplemental_groups": [77],
            },
            "uid=1234 gid=5",
        ),
    ],
)
def test_user(pods: Pods, pod: str, fields: dict[str, object], expected: str) -> None:
    container = pods.start(pod, "sleep", "1000", linux=secured(**fields))
    found = text(pods, container, "id")
    assert found.startswith(expected)
    assert ("77" in found) == ("supplemental_groups" in fields)
    assert pods.status(container).user.linux.uid == int(expected.partition("=")[2].split("(")[0].split()[0])


def status_field(pods: Pods, container: str, name: str) -> str:
    lines = text(pods, container, "cat", "/proc/self/status").splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(f"{name}:"))


def test_security(pods: Pods, pod: str) -> None:
    kind = cri.SecurityProfile
    drop = cri.Capability(drop_capabilities=["ALL"], add_capabilities=["CHOWN"])
    context = {
        "capabilities": drop,
        "no_new_privs": True,
        "readonly_rootfs": True,
        "masked_paths": ["/proc/version"],
    }
    profile = kind(profile_type=kind.RuntimeDefault)
    container = pods.start(pod, "sleep", "1000", linux=secured(**context, seccomp=profile))
    assert status_field(pods, container, "CapBnd") == "0000000000000001"
    assert status_field(pods, container, "CapInh") == "0000000000000000"
    assert status_field(pods, container, "NoNewPrivs") == "1"
    assert status_field(pods, container, "Seccomp") == "2"
    assert text(pods, container, "cat", "/proc/version") == ""
    assert pods.exec(container, "touch", "/x").exit_code != 0


def test_seccomp_default_stops_what_it_should(pods: Pods, pod: str) -> None:
    kind = cri.SecurityProfile
    admin = cri.Capability(add_capabilities=["SYS_ADMIN"])
    profiles = {"default": kind(profile_type=kind.RuntimeDefault), "none": kind(profile_type=kind.Unconfined)}
    results = {}
    for name, profile in profiles.items():
        container = pods.start(pod, "sleep", "1000", linux=secured(seccomp=profile))
        results[name] = pods.exec(container, "unshare", "-m", "true").exit_code
        assert text(pods, container, "sh", "-c", "echo $(echo forks) | cat").strip() == "forks"
    assert results["default"] != 0
    allowed = pods.start(pod, "sleep", "1000", linux=secured(capabilities=admin, seccomp=profiles["default"]))
    assert pods.exec(allowed, "unshare", "-m", "true").exit_code == 0


def test_mounts(pods: Pods, pod: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host")
    mounts = [
        cri.Mount(container_path="/data", host_path=str(tmp_path)),
        cri.Mount(container_path="/data/ro", host_path=str(tmp_path / "made"), readonly=True),
    ]
    container = pods.start(pod, "sleep", "1000", mounts=mounts)
    assert text(pods, container, "cat", "/data/file") == "from the host"
    text(pods, container, "touch", "/data/back")
    assert (tmp_path / "back").exists()
    assert pods.exec(container, "touch", "/data/ro/x").exit_code != 0
    assert [mount.container_path for mount in pods.status(container).mounts] == ["/data", "/data/ro"]


def test_resources_and_their_update(pods: Pods, pod: str) -> None:
    limits = cri.LinuxContainerResources(
        memory_limit_in_bytes=64 << 20, cpu_shares=512, cpu_quota=50_000, cpu_period=100_000
    )
    container = pods.start(pod, "sleep", "1000", linux=cri.LinuxContainerConfig(resources=limits))
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    file = "/sys/fs/cgroup/memory.max" if unified else "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    assert text(pods, container, "cat", file).strip() == str(64 << 20)
    assert pods.status(container).resources.linux.cpu_shares == 512
    change = cri.LinuxContainerResources(memory_limit_in_bytes=96 << 20)
    request = cri.UpdateContainerResourcesRequest(container_id=container, linux=change)
    pods.runtime.UpdateContainerResources(request)
    assert text(pods, container, "cat", file).strip() == str(96 << 20)
    resources = pods.status(container).resources.linux
    assert (resources.memory_limit_in_bytes, resources.cpu_shares) == (96 << 20, 512)


def test_out_of_memory_is_called_so(pods: Pods, pod: str) -> None:
    limits = cri.LinuxContainerResources(memory_limit_in_bytes=16 << 20)
    linux = cri.LinuxContainerConfig(resources=limits)
    container = pods.start(
        pod, "sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=60; sleep 60", linux=linux
    )
    hog = pods.start(pod, "sh", "-c", "a=x; while :; do a=$a$a; done", linux=linux)
    status = pods.await_exit(hog, 60)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")
    pods.stop(container)


def test_exec_sync(pods: Pods, pod: str) -> None:
    container = pods.start(pod, "sleep", "1000")
    result = pods.exec(container, "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (result.stdout, result.stderr, result.exit_code) == (b"out\n", b"err\n", 5)
    with pytest.raises(CriError, match=r"DEADLINE_EXCEEDED.*timed out"):
        pods.exec(container, "sleep", "60", timeout=1)
    assert "sleep 60" not in text(pods, container, "ps")
    pods.stop(container)
    with pytest.raises(CriError, match=r"FAILED_PRECONDITION.*not running"):
        pods.exec(container, "true")


def test_log_rotation(pods: Pods, pod: str) -> None:
    container = pods.start(pod, "sh", "-c", "while :; do echo line; sleep 0.02; done")
    path = Path(pods.status(container).log_path)
    await_true(lambda: path.exists() and path.stat().st_size > 0)
    path.rename(path.with_suffix(".1"))
    pods.runtime.ReopenContainerLog(cri.ReopenContainerLogRequest(container_id=container))
    await_true(lambda: path.exists() and path.stat().st_size > 0)


def test_verbose_status(pods: Pods, pod: str) -> None:
    container = pods.start(pod, "sleep", "1000")
    request = cri.ContainerStatusRequest(container_id=container, verbose=True)
    info = json.loads(pods.runtime.ContainerStatus(request).info["info"])
    assert info["pid"] > 0
    assert info["runtimeSpec"]["process"]["args"] == ["sleep", "1000"]
    assert info["sandboxID"] == pod


def test_statistics(pods: Pods, pod: str) -> None:
    container = pods.start(pod, "sh", "-c", "while :; do :; done")
    request = cri.ContainerStatsRequest(container_id=container)

    def nano_cores() -> int:
        return int(pods.runtime.ContainerStats(request).stats.cpu.usage_nano_cores.value)

    await_true(lambda: nano_cores() > 10_000_000)
    stats = pods.runtime.ContainerStats(request).stats
    assert stats.memory.working_set_bytes.value > 0
    assert stats.writable_layer.fs_id.mountpoint.startswith("/")
    listed = pods.runtime.ListContainerStats(cri.ListContainerStatsRequest()).stats
    assert [item.attributes.id for item in listed] == [container]


def test_events(pods: Pods, pod: str) -> None:
    kinds: list[int] = []
    live = threading.Event()

    def follow() -> None:
        for event in pods.runtime.GetContainerEvents(cri.GetEventsRequest(), timeout=60):
            live.set()
            if event.container_id == watched[-1]:
                kinds.append(event.container_event_type)
                assert event.pod_sandbox_status.id == pod
            if kinds and kinds[-1] == cri.CONTAINER_DELETED_EVENT:
                return

    watched = [""]
    follower = threading.Thread(target=follow)
    follower.start()
    while not live.is_set():  # a subscription is known to be live when something arrives
        probe = pods.create(pod, "true")
        pods.runtime.RemoveContainer(cri.RemoveContainerRequest(container_id=probe))
    watched.append("")
    container = pods.create(pod, "true")
    watched.append(container)
    pods.runtime.StartContainer(cri.StartContainerRequest(container_id=container))
    pods.await_exit(container)
    pods.runtime.RemoveContainer(cri.RemoveContainerRequest(container_id=container))
    follower.join(30)
    assert kinds[-3:] == [
        cri.CONTAINER_STARTED_EVENT,
        cri.CONTAINER_STOPPED_EVENT,
        cri.CONTAINER_DELETED_EVENT,
    ]


def volume(name: str, **fields: object) -> cri.Mount:
    given = {"container_path": "/volume", "readonly": True, "image": cri.ImageSpec(image=name)}
    return cri.Mount(**{**given, **fields})


def test_image_volume(node: ControlNode, pods: Pods, pod: str) -> None:
    mounts = [volume(BUSYBOX), volume(BUSYBOX, container_path="/part", image_sub_path="bin")]
    container = pods.start(pod, "sleep", "1000", mounts=mounts)
    assert "busybox" in text(pods, container, "ls", "/volume/bin")
    assert "busybox" in text(pods, container, "ls", "/part")
    assert pods.exec(container, "touch", "/volume/x").exit_code != 0
    image = pods.client.image.ImageStatus(cri.ImageStatusRequest(image=cri.ImageSpec(image=BUSYBOX))).image
    assert [mount.image.image_ref for mount in pods.status(container).mounts] == [image.id, image.id]
    pods.runtime.RemoveContainer(cri.RemoveContainerRequest(container_id=container))
    assert list((node.pycri.root / "run/image-volumes").iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"readonly": False}, "INVALID_ARGUMENT: ImageVolumeMountFailed: .* read-only"),
        ({"image_sub_path": "no/such"}, "INVALID_ARGUMENT: ImageVolumeMountFailed: .*not a directory"),
        ({"image_sub_path": "../../etc"}, "INVALID_ARGUMENT: ImageVolumeMountFailed: .*relative"),
        ({"image": cri.ImageSpec(image="nowhere.test/x:1")}, "NOT_FOUND: ImageVolumeMountFailed: "),
    ],
)
def test_wrong_image_volume(
    node: ControlNode, pods: Pods, pod: str, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(CriError, match=message):
        pods.create(pod, "true", mounts=[volume(BUSYBOX, **fields)])
    directory = node.pycri.root / "run/image-volumes"
    assert not directory.exists() or list(directory.iterdir()) == []
