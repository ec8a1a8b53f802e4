"""verify against containerd's own CRI: every check passes there, or says why it cannot apply.

A check that fails on the reference implementation is wrong, or shows a fault that is known by name here.
$CONTAINERD chooses the containerd.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer import cli
from installer.lab.registry import Registry
from installer.lab.standard_images import BUSYBOX, MIRRORED, PAUSE, push_standard_images
from installer.verify import Options, Outcome, leaks, run_tiers
from installer.verify.client import Cancelled, CriClient
from installer.verify.host import LocalHost
from installer.verify.pods import LABEL, NAMESPACE, running_pod
from installer.verify.runner import Interrupt
from installer.verify.session import Session
from pycri._generated import cri_pb2
from tests.support.containerd import ContainerdHost

pytestmark = pytest.mark.integration

NOT_APPLICABLE = {"node.crictl", "node.kubeadm", "node.kubelet", "runtime.cgroup-driver", "image.sandbox"}
"""What a machine that is no node, or a containerd before 2.0, gives no ground for."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        push_standard_images(running.address)
        yield running


@pytest.fixture(scope="module")
def containerd(registry: Registry) -> Iterator[ContainerdHost]:
    with ContainerdHost(cri=True, sandbox_image=PAUSE) as host:
        for upstream in MIRRORED:
            (host.certs_dir / upstream).mkdir()
            # containerd before 2.0 takes `server` alone for https
            (host.certs_dir / upstream / "hosts.toml").write_text(
                f'server = "{registry.url}"\n[host."{registry.url}"]\ncapabilities = ["pull", "resolve"]\n'
            )
        client = CriClient(f"unix://{host.address}")
        spec = cri_pb2.ImageSpec(image=PAUSE)  # as kubeadm's preflight does on a node
        client.image.PullImage(cri_pb2.PullImageRequest(image=spec))
        client.close()
        yield host


def images(host: ContainerdHost) -> set[str]:
    client = CriClient(f"unix://{host.address}")
    try:
        listed = client.image.ListImages(cri_pb2.ListImagesRequest()).images
        return {tag for image in listed for tag in image.repo_tags}
    finally:
        client.close()


def pods(host: ContainerdHost) -> list[str]:
    client = CriClient(f"unix://{host.address}")
    try:
        return [pod.id for pod in client.runtime.ListPodSandbox(cri_pb2.ListPodSandboxRequest()).items]
    finally:
        client.close()


@pytest.fixture
def run_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of every run of the test: others may be at work on this machine."""
    chosen = secrets.token_hex(4)
    monkeypatch.setattr("installer.verify.session.new_run_id", lambda: chosen)
    return chosen


def left_of(run_id: str) -> list[Path]:
    """Directories and cgroups of a run."""
    return [
        *Path("/run").glob(f"nodestrap-verify-{run_id}"),
        *Path("/sys/fs/cgroup").glob(f"*/nodestrapverify{run_id}"),
        *Path("/sys/fs/cgroup").glob(f"nodestrapverify{run_id}"),
    ]


def test_every_check_passes_or_cannot_apply(containerd: ContainerdHost, run_id: str) -> None:
    report = run_tiers(f"unix://{containerd.address}", (0, 1))
    failed = {result.id: result.evidence for result in report.results if result.outcome is Outcome.FAILED}
    skipped = {result.id: result.evidence for result in report.results if result.outcome is Outcome.SKIPPED}
    assert failed == {}
    assert set(skipped) <= NOT_APPLICABLE, skipped
    assert report.leftovers == []
    assert report.exit_code == 0
    assert sum(result.seconds for result in report.results if result.tier == 0) < 2
    assert report.seconds < 30
    assert pods(containerd) == []
    assert BUSYBOX not in images(containerd)  # it was not there before
    assert left_of(run_id) == []


def test_an_image_that_was_there_stays(containerd: ContainerdHost) -> None:
    client = CriClient(f"unix://{containerd.address}")
    spec = cri_pb2.ImageSpec(image=BUSYBOX)
    client.image.PullImage(cri_pb2.PullImageRequest(image=spec))
    report = run_tiers(
        f"unix://{containerd.address}", (1,), patterns=["image.pull-*", "image.remove", "pod.run"]
    )
    assert {each.id for each in report.results if each.outcome is Outcome.SKIPPED} == {"image.remove"}
    assert BUSYBOX in images(containerd)
    client.image.RemoveImage(cri_pb2.RemoveImageRequest(image=spec))
    client.close()


def test_an_interrupted_run_leaves_nothing(containerd: ContainerdHost, run_id: str) -> None:
    interrupt = Interrupt()
    results: list[str] = []

    def stop_soon(result: object) -> None:
        results.append(str(result))
        threading.Timer(0.2, interrupt.set).start()

    with pytest.raises(Cancelled):
        run_tiers(
            f"unix://{containerd.address}",
            (1,),
            patterns=["pod.hostname", "container.exec-timeout"],
            on_result=stop_soon,
            interrupt=interrupt,
        )
    assert len(results) == 1
    assert pods(containerd) == []
    assert left_of(run_id) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_cleans_up_after_a_signal(containerd: ContainerdHost, number: signal.Signals) -> None:
    run_id = secrets.token_hex(4)
    program = (
        "from installer import cli; from installer.verify import session; "
        f"session.new_run_id = lambda: {run_id!r}; cli.main()"
    )
    command = [sys.executable, "-c", program, "verify", "--endpoint", containerd.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        for line in running.stdout:
            if "pod.hostname" in line:  # the shared pod is there
                running.send_signal(number)
                break
        running.stdout.read()
        said = running.stderr.read()
    assert running.returncode == 130
    assert "interrupted" in said
    assert pods(containerd) == []
    assert left_of(run_id) == []


def test_cleanup_removes_what_a_killed_run_left(
    containerd: ContainerdHost, capsys: pytest.CaptureFixture[str]
) -> None:
    client = CriClient(f"unix://{containerd.address}")
    metadata = cri_pb2.PodSandboxMetadata(name="left", uid="1", namespace=NAMESPACE)
    config = cri_pb2.PodSandboxConfig(metadata=metadata, labels={LABEL: "0badf00d"})
    client.runtime.RunPodSandbox(cri_pb2.RunPodSandboxRequest(config=config))
    metadata.uid = "2"
    config = cri_pb2.PodSandboxConfig(metadata=metadata)
    other = client.runtime.RunPodSandbox(cri_pb2.RunPodSandboxRequest(config=config)).pod_sandbox_id
    client.close()
    assert cli.run(["verify", "--endpoint", containerd.address, "--cleanup"]) == 0
    assert "1 pods of earlier runs removed" in capsys.readouterr().out
    assert pods(containerd) == [other]
    client = CriClient(f"unix://{containerd.address}")
    client.runtime.StopPodSandbox(cri_pb2.StopPodSandboxRequest(pod_sandbox_id=other))
    client.runtime.RemovePodSandbox(cri_pb2.RemovePodSandboxRequest(pod_sandbox_id=other))
    client.close()


def test_an_image_that_no_registry_has(containerd: ContainerdHost) -> None:
    options = Options(image="registry.k8s.io/nodestrap/none:1")
    report = run_tiers(
        f"unix://{containerd.address}", (1,), options=options, patterns=["image.pull-*", "pod.*"]
    )
    outcomes = {result.id: result for result in report.results}
    assert outcomes["image.pull-tag"].outcome is Outcome.FAILED
    assert "hosts.toml" in (outcomes["image.pull-tag"].fix or "")
    assert outcomes["pod.run"].outcome is Outcome.PASSED
    assert outcomes["pod.shm"].outcome is Outcome.SKIPPED
    assert "failed before" in outcomes["pod.shm"].evidence
    assert report.exit_code == 8
    assert pods(containerd) == []


def test_the_command_writes_json_and_junit(
    containerd: ContainerdHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junit = tmp_path / "junit.xml"
    arguments = ["--endpoint", containerd.address, "--tier", "T0", "--junit", str(junit)]
    assert cli.run(["--json", "verify", *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 0
    assert document["endpoints"][0]["runtime"].startswith("containerd ")
    assert junit.read_text().count("<testcase") == len(document["endpoints"][0]["checks"])


def test_the_leak_search_finds_everything_of_a_pod_that_lives(containerd: ContainerdHost) -> None:
    client = CriClient(f"unix://{containerd.address}")
    session = Session(client, LocalHost(), f"unix://{containerd.address}", Options())
    try:
        before = leaks.host_links(session.host)
        with running_pod(session, "alive") as pod:
            traces = leaks.trace(session.host, pod.start(), before)
            found = leaks.leaked(session.host, session.made_ids, traces)
        kinds = {phrase.partition(" ")[0] for phrase in found}
        assert kinds == {"mount", "cgroup", "process", "network", "interface"}, found
        assert {phrase.rpartition(" ")[2] for phrase in found if phrase.startswith("process")} == {
            "cmdline",
            "cgroup",
        }
    finally:
        session.close()
        client.close()
    assert session.leftovers == []
