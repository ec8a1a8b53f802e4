"""pycri and pycri-io as two processes over a private containerd, for integration tests and benchmarks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from installer.lab.registry import Registry
from installer.lab.standard_images import MIRRORED, push_standard_images
from installer.verify.client import CriClient, CriError
from pycri._generated import cri_pb2
from tests.support import leftovers
from tests.support.containerd import ContainerdHost

_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 30.0


class PycriHost:
    """``with PycriHost(containerd_host) as node:`` serves the CRI on ``node.socket`` until the block ends.

    Its containerd namespace is not that of containerd's own CRI, so that both can run on one containerd.
    At the end every pod is removed over the CRI, both processes are stopped, and AssertionError is raised if
    a mount is left.
    """

    def __init__(
        self,
        containerd: ContainerdHost,
        *,
        namespace: str = "pycri",
        extra_config: str = "",
        extra_sections: str = "",
    ) -> None:
        self.containerd = containerd
        self.namespace = namespace
        self.extra_config = extra_config
        self.extra_sections = extra_sections
        self.root = Path()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def socket(self) -> str:
        return str(self.root / "run" / "pycri.sock")

    @property
    def target(self) -> str:
        """The socket as gRPC names it."""
        return f"unix://{self.socket}"

    @property
    def log(self) -> str:
        """What both processes have logged so far."""
        return "".join((self.root / f"{name}.log").read_text(errors="replace") for name in ("control", "io"))

    def __enter__(self) -> PycriHost:
        leftovers.need_root()
        self.root = Path(tempfile.mkdtemp(prefix="nst-pycri-"))
        try:
            (self.root / "config.toml").write_text(self._config())
            self.start("io", ["io"])
            self.start("control", ["serve", "--control-only"])
            self.wait_ready()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean_up()

    def start(self, name: str, arguments: list[str]) -> None:
        """Start one of the two: ``("io", ["io"])`` or ``("control", ["serve", "--control-only"])``."""
        command = [sys.executable, "-m", "pycri", "--config", str(self.root / "config.toml")]
        with (self.root / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.containerd.beside(), *command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
                start_new_session=True,
            )

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to one of the processes and wait until it has ended."""
        process = self.processes.pop(name, None)
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(f"pycri's {name} did not end on {number.name}:\n{self.log}") from None

    def client(self) -> CriClient:
        """A new CRI client; the caller closes it."""
        return CriClient(self.target)

    def wait_ready(self) -> None:
        """Return when Version answers. Raises AssertionError with the logs when that does not happen."""
        deadline = time.monotonic() + _START_TIMEOUT
        client = self.client()
        try:
            while True:
                try:
                    client.negotiate()
                    return
                except CriError as error:
                    dead = [name for name, process in self.processes.items() if process.poll() is not None]
                    if dead or time.monotonic() > deadline:
                        raise AssertionError(
                            f"pycri is not up ({error}; ended: {dead}):\n{self.log}"
                        ) from None
                time.sleep(0.02)  # nothing to await yet: the socket does not exist
        finally:
            client.close()

    def remove_pods(self) -> None:
        """Stop and remove every pod."""
        client = self.client()
        try:
            listed = client.runtime.ListPodSandbox(cri_pb2.ListPodSandboxRequest())
            for pod in listed.items:
                client.runtime.StopPodSandbox(cri_pb2.StopPodSandboxRequest(pod_sandbox_id=pod.id))
                client.runtime.RemovePodSandbox(cri_pb2.RemovePodSandboxRequest(pod_sandbox_id=pod.id))
        finally:
            client.close()

    def _clean_up(self) -> None:
        try:
            control = self.processes.get("control")
            if control is not None and control.poll() is None and Path(self.socket).exists():
                self.remove_pods()
        finally:
            for name in ("control", "io"):
                self.end(name)
            left = leftovers.mounts_below(self.root)
            leftovers.unmount_below(self.root)
            shutil.rmtree(self.root)
        assert left == [], f"pycri left mounts: {left}"

    def _config(self) -> str:
        quoted = json.dumps  # a JSON string or list is one in TOML too
        return f"""{self.extra_config}
root = {quoted(str(self.root / "lib"))}
run = {quoted(str(self.root / "run"))}
[server]
socket = {quoted(self.socket)}
[containerd]
address = {quoted(self.containerd.address)}
namespace = {quoted(self.namespace)}
[images]
registry_config = {quoted(str(self.containerd.certs_dir))}
[cni]
bin_dirs = {quoted([str(self.containerd.cni_bin_dir)])}
conf_dir = {quoted(str(self.containerd.cni_conf_dir))}
netns_dir = {quoted(str(self.root / "netns"))}
{self.extra_sections}
"""


@contextmanager
def mirrored_registry(containerd: ContainerdHost, root: Path) -> Iterator[Registry]:
    """A loopback registry with the standard images, to which ``containerd.certs_dir`` points."""
    with Registry(root) as registry:
        push_standard_images(registry.address)
        for upstream in MIRRORED:
            directory = containerd.certs_dir / upstream
            directory.mkdir(exist_ok=True)
            (directory / "hosts.toml").write_text(f'[host."{registry.url}"]\n')
        yield registry
