"""A private containerd for integration tests, that leaves nothing behind.

The binary is $CONTAINERD, or the ``containerd`` on PATH; its shims come from beside it. Root, state, socket,
CNI configuration, bridge and subnet are its own, so that several run side by side.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from pycri.containerd import Containerd
from pycri.errors import PycriError
from tests.support import leftovers

CNI_BIN_DIR = os.environ.get("CNI_BIN_DIR", "/usr/lib/cni")
_START_TIMEOUT = 30.0


class ContainerdHost:
    """``with ContainerdHost() as host:`` runs a containerd until the end of the block.

    ``cri`` turns its built-in CRI plugin on (for comparisons; then ``host.address`` serves the CRI as well,
    and ``sandbox_image`` is what it runs pods with). ``plugins`` are the CNI plugins of the conflist;
    ``portmap`` is left out by default because it writes to the host's NAT table. ``hide_unified`` runs it
    in a mount namespace without a hybrid host's cgroup v2 mount, which crun refuses (see ``beside``). At the
    end every pod, task and process is removed, and AssertionError raised if anything is left.
    """

    def __init__(
        self,
        *,
        cri: bool = False,
        sandbox_image: str = "",
        portmap: bool = False,
        hide_unified: bool = False,
        cni_bin_dir: str = CNI_BIN_DIR,
    ) -> None:
        self.cni_bin_dir = Path(cni_bin_dir)
        self.hide_unified = hide_unified
        self.binary = find_containerd()
        self.cri = cri
        self.sandbox_image = sandbox_image
        self.portmap = portmap
        self.root = Path()
        self.bridge = f"nst{secrets.token_hex(4)}"
        self.subnet = ""
        self.process: subprocess.Popen[bytes] | None = None

    # Where things are -------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """containerd's socket."""
        return str(self.root / "containerd.sock")

    @property
    def cni_conf_dir(self) -> Path:
        """Holds one conflist with the host's own bridge and subnet."""
        return self.root / "net.d"

    @property
    def certs_dir(self) -> Path:
        """Registry configuration (``<host>/hosts.toml``), empty at first."""
        return self.root / "certs.d"

    @property
    def work_dir(self) -> Path:
        """For the test's own files (pycri's state, logs); removed at the end."""
        return self.root / "work"

    @property
    def log(self) -> str:
        """What containerd has logged so far."""
        return (self.root / "containerd.log").read_text(errors="replace")

    @property
    def version(self) -> tuple[int, int]:
        """containerd's major and minor version."""
        words = subprocess.run([self.binary, "--version"], check=True, capture_output=True, text=True).stdout
        major, minor = words.split()[2].lstrip("v").split(".")[:2]
        return int(major), int(minor)

    def client(self, namespace: str = "k8s.io") -> Containerd:
        """A new client; the caller closes it."""
        return Containerd(self.address, namespace)

    # Life -------------------------------------------------------------------------------------------------

    def __enter__(self) -> ContainerdHost:
        leftovers.need_root()
        self.root = Path(tempfile.mkdtemp(prefix="nst-containerd-"))
        self.root.chmod(0o711)  # the root of a pod's user namespace goes through it to its root file system
        try:
            for made in (self.cni_conf_dir, self.certs_dir, self.work_dir):
                made.mkdir()
            self.subnet = leftovers.free_subnet()
            self._write_conflist()
            self._write_config()
            self.start()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean_up()

    def start(self) -> None:
        """Start containerd (again) and return when it answers."""
        environment = {**os.environ, "PATH": f"{Path(self.binary).parent}:{os.environ['PATH']}"}
        with (self.root / "containerd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._wrapper(), self.binary, "--config", str(self.root / "config.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # ctrl-C in the terminal must leave it to us to clean up
            )
        try:
            _run(self._wait_ready())
        except PycriError as error:
            raise AssertionError(f"{error}; its log ends:\n{self.log[-4000:]}") from None

    def _wrapper(self) -> list[str]:
        unified = "/sys/fs/cgroup/unified"
        if not self.hide_unified or not Path(unified).is_mount():
            return []
        return ["unshare", "-m", "sh", "-c", f'umount {unified} && exec "$@"', "-"]

    def beside(self) -> list[str]:
        """What to put before a command that must see the mounts that containerd sees."""
        if not self._wrapper():
            return []
        assert self.process is not None
        return ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt"]

    def stop(self) -> None:
        """SIGTERM, and wait. Shims and containers go on."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait. Shims and containers go on."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def _wait_ready(self) -> None:
        async with self.client() as client:
            await client.wait_ready(_START_TIMEOUT)
            if self.cri:
                await _remove_pods(self.address, only_probe=True)

    # Configuration ----------------------------------------------------------------------------------------

    def _write_conflist(self) -> None:
        plugins: list[dict[str, Any]] = [
            {
                "type": "bridge",
                "bridge": self.bridge,
                "isGateway": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(self.root / "ipam"),
                    "ranges": [[{"subnet": self.subnet}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ]
        if self.portmap:
            plugins.append({"type": "portmap", "capabilities": {"portMappings": True}})
        conflist = {"cniVersion": "0.4.0", "name": self.bridge, "plugins": plugins}
        (self.cni_conf_dir / "10-test.conflist").write_text(json.dumps(conflist, indent=1))

    def _write_config(self) -> None:
        disabled = [
            "io.containerd.snapshotter.v1.aufs",
            "io.containerd.snapshotter.v1.btrfs",
            "io.containerd.snapshotter.v1.devmapper",
            "io.containerd.snapshotter.v1.zfs",
            "io.containerd.tracing.processor.v1.otlp",
        ]
        if not self.cri:
            disabled += [
                "io.containerd.grpc.v1.cri",
                "io.containerd.cri.v1.images",
                "io.containerd.cri.v1.runtime",
            ]
        quoted = json.dumps  # a JSON string or list of strings is one in TOML too
        (self.root / "config.toml").write_text(
            f"""version = 2
root = {quoted(str(self.root / "root"))}
state = {quoted(str(self.root / "state"))}
disabled_plugins = {quoted(disabled)}
[grpc]
  address = {quoted(self.address)}
[ttrpc]
  address = {quoted(self.address + ".ttrpc")}
[plugins."io.containerd.internal.v1.opt"]
  path = {quoted(str(self.root / "opt"))}
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {quoted(self.sandbox_image)}
  restrict_oom_score_adj = true
  enable_selinux = false
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {quoted(str(self.cni_bin_dir))}
    conf_dir = {quoted(str(self.cni_conf_dir))}
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = {quoted(str(self.certs_dir))}
"""
        )

    # The end ----------------------------------------------------------------------------------------------

    def _clean_up(self) -> None:
        try:
            if any(leftovers.processes_naming(self.address)):
                self._remove_everything()
        finally:
            self._end(signal.SIGTERM)
            for pid in leftovers.processes_naming(self.address):
                leftovers.kill_tree(pid)
            leftovers.unmount_below(self.root)
            subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, check=False)
            shutil.rmtree(self.root, ignore_errors=True)
        problems = [
            *(f"process {pid}" for pid in leftovers.processes_naming(str(self.root))),
            *(f"mount {mount}" for mount in leftovers.mounts_below(self.root)),
            *(f"interface {name}" for name in leftovers.interfaces() if name == self.bridge),
            *(f"file {path}" for path in self._remaining_files()),
        ]
        assert not problems, f"ContainerdHost left behind: {', '.join(problems)}"

    def _remaining_files(self) -> Iterator[Path]:
        if self.root.exists():
            yield self.root

    def _remove_everything(self) -> None:
        """Pods over the CRI (they hold addresses and namespaces), then tasks, in every namespace."""
        if self.process is None or self.process.poll() is not None:
            self.start()  # the test had stopped it; shims are only cleaned up with its help
        _run(self._remove_all())

    async def _remove_all(self) -> None:
        if self.cri:
            await _remove_pods(self.address)
        async with self.client() as client:
            names = [namespace.name for namespace in await client.namespaces.list()]
        for name in names:
            async with self.client(name) as client:
                for task in await client.tasks.list():
                    await _remove_task(client, task.container_id or task.id)


def find_containerd() -> str:
    """The containerd to test with: $CONTAINERD or the one on PATH."""
    found = os.environ.get("CONTAINERD") or shutil.which("containerd")
    assert found, "these tests need containerd: apt install containerd, or set $CONTAINERD to a binary"
    return found


async def _remove_task(client: Containerd, container_id: str) -> None:
    try:
        waiting = asyncio.create_task(client.tasks.wait(container_id))
        await asyncio.sleep(0)
        await client.tasks.kill(container_id, signal.SIGKILL, all=True)
        await asyncio.wait_for(waiting, 10)
    except PycriError:
        pass  # created but never started, or ended already: the delete tells
    except asyncio.TimeoutError:
        return  # the processes are killed by pid afterwards
    try:
        await client.tasks.delete(container_id)
    except PycriError as error:
        print(f"cleaning up: task {container_id}: {error}")


async def _remove_pods(address: str, *, only_probe: bool = False) -> None:
    """Remove every pod over containerd's own CRI; with ``only_probe``, wait until that answers."""
    import grpc.aio

    from pycri._generated import cri_pb2

    async with grpc.aio.insecure_channel(
        f"unix:{address}", options=(("grpc.default_authority", "localhost"),)
    ) as channel:

        async def call(method: str, request: Any, reply: Any) -> Any:
            stub = channel.unary_unary(
                f"/runtime.v1.RuntimeService/{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=reply.FromString,
            )
            return await stub(request, timeout=60, wait_for_ready=True)

        listed = await call("ListPodSandbox", cri_pb2.ListPodSandboxRequest(), cri_pb2.ListPodSandboxResponse)
        if only_probe:
            return

        async def remove(pod: str) -> None:
            stop, gone = cri_pb2.StopPodSandboxRequest, cri_pb2.RemovePodSandboxRequest
            await call("StopPodSandbox", stop(pod_sandbox_id=pod), cri_pb2.StopPodSandboxResponse)
            await call("RemovePodSandbox", gone(pod_sandbox_id=pod), cri_pb2.RemovePodSandboxResponse)

        outcomes = await asyncio.gather(*(remove(pod.id) for pod in listed.items), return_exceptions=True)
        for pod, outcome in zip(listed.items, outcomes, strict=True):
            if outcome is not None:
                print(f"cleaning up: pod {pod.id}: {outcome}")


def _run(coroutine: Any) -> None:
    """Run a coroutine from synchronous code, also when a test's event loop is running in this thread."""
    failures: list[BaseException] = []

    def target() -> None:
        try:
            asyncio.run(coroutine)
        except BaseException as error:  # noqa: BLE001  # handed to the caller's thread
            failures.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
