"""pycri, pycri-io or containerd end and come back; each rule of recover.py."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pycri._generated import cri_pb2 as cri
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import Pods, await_true

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    with control_node(tmp_path_factory.mktemp("node")) as made:
        yield made


@pytest.fixture
def pods(node: ControlNode) -> Iterator[Pods]:
    yield node.pods
    for pod in node.pods.pods():
        node.pods.remove_pod(pod)
    assert not any(node.leftovers().values()), node.leftovers()


def stop(node: ControlNode, number: signal.Signals = signal.SIGKILL) -> None:
    node.pycri.end("control", number)


def start(node: ControlNode) -> None:
    node.pycri.start("control", ["serve", "--control-only"])
    node.pycri.wait_ready()
    await_true(lambda: bool(node.pods.conditions()))  # this client's channel is back too


def restart(node: ControlNode) -> None:
    stop(node)
    start(node)


def database(node: ControlNode) -> Path:
    return node.pycri.root / "lib/state.db"


def sql(node: ControlNode, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Run while pycri is stopped."""
    with closing(sqlite3.connect(database(node))) as connection, connection:
        return connection.execute(statement, values).fetchall()


def ctr(node: ControlNode, *arguments: str) -> str:
    command = ["ctr", "-a", node.containerd.address, "-n", node.pycri.namespace, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_everything_is_as_before_after_sigkill(node: ControlNode, pods: Pods) -> None:
    pod = pods.run()
    runs = pods.start(pod, "sleep", "1000")
    created = pods.create(pod, "true")
    ended = pods.start(pod, "sh", "-c", "exit 4")
    before = pods.await_exit(ended), pods.sandbox(pod), pods.status(runs), pods.status(created)
    restart(node)
    assert (pods.status(ended), pods.sandbox(pod), pods.status(runs), pods.status(created)) == before
    assert pods.exec(runs, "true").exit_code == 0
    pods.runtime.StartContainer(cri.StartContainerRequest(container_id=created))
    assert pods.await_exit(created).exit_code == 0


def test_an_exit_that_nobody_saw_is_known_afterwards(node: ControlNode, pods: Pods) -> None:
    pod = pods.run()
    container = pods.start(pod, "sh", "-c", "sleep 1; exit 6")
    stop(node)
    await_true(lambda: "STOPPED" in ctr(node, "tasks", "ls"))
    start(node)
    status = pods.await_exit(container)
    assert (status.exit_code, status.reason) == (6, "Error")


def test_an_exit_is_known_even_if_the_start_was_not_written_down(node: ControlNode, pods: Pods) -> None:
    pod = pods.run()
    container = pods.start(pod, "sh", "-c", "sleep 1; exit 6")
    stop(node)
    await_true(lambda: "STOPPED" in ctr(node, "tasks", "ls"))
    created = "json_remove(CAST(record AS TEXT), '$.state', '$.started_at', '$.pid')"
    sql(node, f"UPDATE containers SET record = CAST({created} AS BLOB)")
    start(node)
    status = pods.await_exit(container)
    assert (status.exit_code, status.reason) == (6, "Error")


def test_a_pod_whose_pause_process_died_is_not_ready(node: ControlNode, pods: Pods) -> None:
    pod = pods.run()
    stop(node)
    ctr(node, "tasks", "kill", "-s", "SIGKILL", pod)
    await_true(lambda: "RUNNING" not in ctr(node, "tasks", "ls"))
    start(node)
    assert pods.sandbox(pod).state == cri.SANDBOX_NOTREADY


def test_a_pod_that_was_being_made_is_undone(node: ControlNode, pods: Pods) -> None:
    """The row says that RunPodSandbox had not finished: an address may have been given away."""
    pod = pods.run()
    assert node.addresses()
    stop(node)
    sql(node, "UPDATE sandboxes SET record = CAST(replace(record, '\"created\":true,', '') AS BLOB)")
    start(node)
    assert pods.pods() == []
    assert not any(node.leftovers().values()), node.leftovers()
    assert pod not in ctr(node, "containers", "ls", "-q")


def test_container_rows_without_containerds_record(node: ControlNode, pods: Pods) -> None:
    pod = pods.run()
    created, runs = pods.create(pod, "true"), pods.start(pod, "sleep", "1000")
    stop(node, signal.SIGTERM)  # writes everything down: that it runs is written some milliseconds late
    ctr(node, "tasks", "rm", "-f", runs)
    ctr(node, "containers", "rm", "--keep-snapshot", created, runs)
    start(node)
    listed = pods.runtime.ListContainers(cri.ListContainersRequest()).containers
    assert [(item.id, item.state) for item in listed] == [(runs, cri.CONTAINER_EXITED)]
    assert pods.status(runs).exit_code == 255


def test_a_container_without_row_is_removed(node: ControlNode, pods: Pods) -> None:
    pod = pods.run()
    container = pods.start(pod, "sleep", "1000")
    stop(node)
    sql(node, "DELETE FROM containers")
    start(node)
    assert container not in ctr(node, "containers", "ls", "-q")
    assert container not in ctr(node, "snapshots", "ls")
    assert pods.sandbox(pod).state == cri.SANDBOX_READY


def test_a_lost_database_is_rebuilt_from_containerd(node: ControlNode, pods: Pods) -> None:
    pod = pods.run(labels={"app": "x"})
    runs, ended = pods.start(pod, "sleep", "1000"), pods.start(pod, "true")
    pods.await_exit(ended)
    address = pods.sandbox(pod).network.ip
    await_true(lambda: address.encode() in extension(node, pod))
    stop(node)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database(node)}{suffix}").unlink(missing_ok=True)
    start(node)
    status = pods.sandbox(pod)
    assert (status.state, status.network.ip, status.labels["app"]) == (cri.SANDBOX_READY, address, "x")
    assert pods.status(runs).state == cri.CONTAINER_RUNNING
    assert pods.status(ended).state == cri.CONTAINER_EXITED
    assert pods.exec(runs, "true").exit_code == 0


def extension(node: ControlNode, pod: str) -> bytes:
    """Our record inside containerd's, decoded."""

    info = json.loads(ctr(node, "containers", "info", pod))
    return base64.b64decode(info["Extensions"]["pycri.v1.record"]["value"])


def test_directories_of_nobody_are_removed(node: ControlNode, pods: Pods) -> None:
    stop(node)
    for base in ("lib", "run"):
        (node.pycri.root / base / "sandboxes" / ("e" * 64)).mkdir(parents=True)
    start(node)
    assert not any(node.leftovers().values())


def test_after_a_reboot_the_address_is_given_back(node: ControlNode, pods: Pods) -> None:
    """Tasks, namespaces and mounts are gone, the database and host-local's files are not."""
    pod = pods.run()
    stop(node)
    ctr(node, "tasks", "kill", "-s", "SIGKILL", pod)
    await_true(lambda: "RUNNING" not in ctr(node, "tasks", "ls"))
    ctr(node, "tasks", "rm", pod)
    for path in node.namespaces():
        subprocess.run(["umount", path], check=True)
        Path(path).unlink()
    start(node)
    assert pods.sandbox(pod).state == cri.SANDBOX_NOTREADY
    pods.remove_pod(pod)
    assert node.addresses() == set()


def test_containerd_goes_and_comes_back(node: ControlNode, pods: Pods) -> None:
    pod = pods.run()
    runs, short = pods.start(pod, "sleep", "1000"), pods.start(pod, "sh", "-c", "sleep 1; exit 2")
    node.containerd.kill()
    await_true(lambda: not pods.conditions()["RuntimeReady"].status)
    assert "is gone" in pods.conditions()["RuntimeReady"].message
    assert pods.pods() == [pod]
    node.containerd.start()
    await_true(lambda: pods.conditions()["RuntimeReady"].status)
    assert pods.await_exit(short).exit_code == 2
    assert pods.status(runs).state == cri.CONTAINER_RUNNING
    assert pods.exec(runs, "true").exit_code == 0


def test_sigterm_lets_requests_finish(node: ControlNode, pods: Pods) -> None:

    pod = pods.run()
    container = pods.start(pod, "sleep", "1000")
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        running = threads.submit(pods.exec, container, "sh", "-c", "touch /began; sleep 1.5; echo done")
        await_true(lambda: pods.exec(container, "test", "-e", "/began").exit_code == 0)
        stop(node, signal.SIGTERM)
        assert running.result().stdout == b"done\n"
    start(node)


def test_a_second_pycri_is_refused(node: ControlNode) -> None:

    command = [
        sys.executable,
        "-m",
        "pycri",
        "--config",
        str(node.pycri.root / "config.toml"),
        "serve",
        "--control-only",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert "another pycri serves" in result.stderr
    assert shutil.which("ctr")


def test_sigterm_is_not_held_up_by_an_event_stream(node: ControlNode, pods: Pods) -> None:

    pod = pods.run()
    seen = threading.Event()

    def follow() -> None:
        for _ in pods.runtime.GetContainerEvents(cri.GetEventsRequest(), timeout=60):
            seen.set()

    follower = threading.Thread(target=follow)
    follower.start()
    while not seen.is_set():
        pods.create(pod, "true")
    begun = time.monotonic()
    stop(node, signal.SIGTERM)
    assert time.monotonic() - begun < 5
    follower.join(10)
    assert not follower.is_alive()
    start(node)
