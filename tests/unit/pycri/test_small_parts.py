"""handlers.py, labels.py, processes.py, publisher.py, cgroups.py's driver, and the command line."""

import asyncio
import json
import signal
import subprocess
import sys

import pytest

from pycri import cgroups, cli, errors, handlers, labels
from pycri._generated import cri_pb2 as cri
from pycri._generated.containerd_runc_options_pb2 import Options
from pycri._generated.containerd_runtime_options_pb2 import Options as ShimOptions
from pycri.config import Config, Runtime
from pycri.containerd.anys import unpack
from pycri.handlers import Handlers
from pycri.processes import Processes
from pycri.publisher import Publisher
from pycri.runtime_features import Features, InstalledRuntime


def test_labels_that_containerd_acts_on_do_not_pass():
    """CVE-2026-53488: users write pod labels."""
    given = {
        "containerd.io/gc.root": "x",
        "evil.containerd.io/y": "x",
        labels.KIND: "sandbox",
        "app": "web",
        "big": "x" * 5000,
    }
    assert labels.of_record(labels.CONTAINER, given) == {"app": "web", labels.KIND: "container"}


@pytest.fixture
def features(tmp_path):
    def make(text):
        path = tmp_path / "runtime"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_handlers_tell_what_the_runtime_can(features):
    document = {
        "mountOptions": ["rro"],
        "linux": {"namespaces": ["user"], "mountExtensions": {"idmap": {"enabled": True}}},
    }
    binary = features(f"echo '{json.dumps(document)}'")
    found = Handlers(Config(default_runtime="x", runtimes={"x": Runtime(binary=binary)}), "systemd").get("")
    assert found.features == Features(True, True, True)
    assert found.overlaps
    assert unpack(found.options, Options) == Options(binary_name=binary, systemd_cgroup=True)


@pytest.mark.parametrize("text", ["exit 1", "echo nonsense", "echo '[]'"])
def test_a_runtime_that_does_not_tell_can_nothing(features, text):
    found = Handlers(Config(runtimes={"runc": Runtime(binary=features(text))}), "cgroupfs").get("runc")
    assert found.features == Features()


def test_a_runtime_is_asked_again_when_it_has_been_replaced(features):
    installed = InstalledRuntime(features("exit 1"))
    assert not installed.features().user_namespaces
    features("""echo '{"linux": {"namespaces": ["user"]}}'""")
    assert installed.features().user_namespaces


def test_other_shims_do_not_overlap_and_unknown_handlers_are_refused():
    config = Config(default_runtime="kata", runtimes={"kata": Runtime(type="io.containerd.kata.v2")})
    known = Handlers(config, "cgroupfs")
    assert not known.get("kata").overlaps
    assert not known.get("kata").runs_on_host  # its pid is the virtual machine's: no signals to that
    assert known.get("kata").options is None
    gvisor = Runtime(type="io.containerd.runsc.v1", config_path="/etc/runsc.toml")
    options = Handlers(Config(runtimes={"runc": Runtime(), "g": gvisor}), "cgroupfs").get("g").options
    assert unpack(options, ShimOptions) == ShimOptions(
        type_url="io.containerd.runsc.v1.options", config_path="/etc/runsc.toml"
    )
    with pytest.raises(errors.InvalidArgument, match=r"add \[runtimes.gvisor\]"):
        known.get("gvisor")
    assert handlers.RUNC_SHIM == "io.containerd.runc.v2"


def test_signals_reach_the_process_and_nobody_after_it():
    processes = Processes()
    child = subprocess.Popen(["sleep", "60"])
    processes.watch("id", child.pid)
    assert processes.signal("id", signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    assert not processes.signal("id", signal.SIGTERM)
    assert not processes.signal("other", signal.SIGTERM)
    processes.watch("gone", child.pid)
    processes.close()


async def test_events_reach_every_reader_and_a_slow_one_is_cut_off(monkeypatch):
    monkeypatch.setattr("pycri.publisher._MAX_WAITING", 2)
    publisher = Publisher()
    assert not publisher.wanted
    fast, slow = publisher.stream(cri.GetEventsRequest()), publisher.stream(cri.GetEventsRequest())
    reading = [asyncio.create_task(anext(stream)) for stream in (fast, slow)]
    await asyncio.sleep(0)
    assert publisher.wanted
    publisher.publish(cri.ContainerEventResponse(container_id="0"))
    assert [(await task).container_id for task in reading] == ["0", "0"]
    for number in range(1, 4):
        publisher.publish(cri.ContainerEventResponse(container_id=str(number)))
        assert (await anext(fast)).container_id == str(number)
    assert [event.container_id async for event in slow] == ["1", "2"]
    await fast.aclose()
    assert not publisher.wanted


def test_cgroup_driver():
    assert cgroups.driver("systemd") == "systemd"
    assert cgroups.driver("auto") in ("systemd", "cgroupfs")


@pytest.mark.parametrize("unified", [True, False])
@pytest.mark.parametrize(
    ("path", "directory"),
    [
        ("/kubepods/pod1/id", "kubepods/pod1/id"),
        (
            "kubepods-burstable-pod1.slice:cri-containerd:id",
            "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-id.scope",
        ),
    ],
)
def test_kills_for_memory_are_read_from_the_cgroup(tmp_path, monkeypatch, unified, path, directory):
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    monkeypatch.setattr(cgroups, "unified", lambda: unified)
    assert cgroups.oom_kills(path) == 0
    file = f"{directory}/memory.events" if unified else f"memory/{directory}/memory.oom_control"
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("oom 1\noom_kill 3\n")
    assert cgroups.oom_kills(path) == 3


def test_commands(capsys, tmp_path):
    assert cli.main(["version"]) == 0
    assert capsys.readouterr().out.startswith("pycri ")
    assert cli.main(["config", "default"]) == 0
    (tmp_path / "config.toml").write_text(capsys.readouterr().out)
    assert cli.main(["--config", str(tmp_path / "config.toml"), "config", "check"]) == 0
    (tmp_path / "config.toml").write_text("nope = 1")
    assert cli.main(["--config", str(tmp_path / "config.toml"), "serve", "--control-only"]) == 2
    assert "config.toml:1: unknown key" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 2


def imported(code, *modules):
    """Which of ``modules`` a fresh interpreter has after ``code``."""
    code = f"{code}\nimport sys\nprint([name for name in {modules!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()[-1]


def test_the_command_line_imports_little():
    """A node has no click, and memory counts."""
    code = "import pycri.cli; pycri.cli.main(['version'])"
    assert imported(code, "grpc", "click", "asyncio") == "[]"


def test_the_daemon_needs_only_what_a_node_has():
    controllers = ("click", "rich", "yaml", "jinja2", "paramiko", "installer")
    assert imported("import pycri.server.app, pycri.io.app", *controllers) == "[]"
