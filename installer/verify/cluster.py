"""The cluster behind a control plane's endpoint, for checks of T3: kubectl, nodes, and pods that are ours.

One namespace holds everything that a run makes; removing it removes all of it. Every node gets one pod with a
small web server, a Service leads to all of them.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from installer.control_plane.kubectl import ADMIN_CONF, PATH, Kubectl
from installer.control_plane.observe import NodeState, node_states
from installer.errors import ClusterError
from installer.verify.check import Failed, NotApplicable
from installer.verify.host import ByteStream, Host, HostError
from installer.verify.waiting import wait_for

PORT: Final = 8080  # of the web server in each pod
_HOST_PORTS: Final = range(28000, 29000)  # outside of NodePorts' range, and of what nodes listen on
_STALE: Final = timedelta(minutes=15)  # a run takes less; what is older was left by one that was killed
_READY_SECONDS: Final = 120.0
_LABEL: Final = "io.nodestrap.verify"


@dataclass(frozen=True)
class Answer:
    """A command's result, as Kubectl wants it."""

    status: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class Probe:
    """One of our pods."""

    name: str
    node: str
    addresses: tuple[str, ...]


class Cluster:
    """Seen from one control plane."""

    def __init__(self, host: Host, run_id: str, image: str) -> None:
        self._host = host
        self.namespace = f"nodestrap-verify-{run_id}"
        self._image = image
        self._made = False
        # By the run's own number: two runs, or what a killed one left, do not meet.
        self.host_port = _HOST_PORTS[int(run_id, 16) % len(_HOST_PORTS)]
        self.kubectl = Kubectl(host.name, self._run)

    @cached_property
    def nodes(self) -> Mapping[str, NodeState]:
        """By name. Raises ClusterError."""
        return node_states(self.kubectl)

    @cached_property
    def probes(self) -> Sequence[Probe]:
        """A pod on every node that is ready, each with an address. Raises Failed, ClusterError."""
        names = [node.name for node in self.nodes.values() if node.ready]
        if not names:
            raise NotApplicable("no node is ready")
        self._make(names)
        return self._await(names)

    @cached_property
    def service_address(self) -> str:
        """The ClusterIP of the Service that leads to all probes."""
        found = self.kubectl.get("service", "web", "--namespace", self.namespace)
        return str(found["spec"]["clusterIP"])

    @cached_property
    def routed(self) -> bool:
        """Whether the pod network is nodestrap's own, which takes pods' addresses from podCIDRs."""
        return self._host.run("test -e /etc/nodestrap/pod-network/config.json", check=False).code == 0

    def node_of(self, hostname: str) -> str:
        """The name under which a host is a node: its own, or that of its label. Raises Failed."""
        for node in self.nodes.values():
            if hostname.lower() in (node.name, node.labels.get("kubernetes.io/hostname")):
                return node.name
        raise Failed(f"no node is called {hostname}")

    def exec(
        self, probe: Probe, *words: str, stdin: bytes = b"", timeout: float = 30.0, tries: int = 1
    ) -> str:
        """stdout of a command in a probe, through the API server. Raises ClusterError."""
        start = ("exec", *(["--stdin"] if stdin else []), probe.name, "--namespace", self.namespace)
        for left in reversed(range(tries)):
            try:
                return self.kubectl(*start, "--", *words, stdin=stdin, timeout=timeout)
            except ClusterError:  # noqa: PERF203 - the loop is the retry
                if not left:
                    raise
                time.sleep(0.5)
        raise AssertionError("unreachable")

    def logs(self, probe: Probe) -> str:
        """A probe's log. Raises ClusterError."""
        return self.kubectl("logs", probe.name, "--namespace", self.namespace)

    def restarts(self, probe: Probe) -> int:
        """How often its container was started again. Raises ClusterError."""
        found = self.kubectl.get("pod", probe.name, "--namespace", self.namespace)
        return sum(each["restartCount"] for each in found["status"].get("containerStatuses") or ())

    def fetch_patiently(self, probe: Probe, where: str, seconds: float = 45.0) -> str:
        """As ``fetch``, of one URL, which kube-proxy may not lead anywhere yet. Raises ClusterError.

        kube-proxy that could not write its rules, somebody else being at it, tries again after 30 s (its
        iptables.syncPeriod).
        """
        deadline = time.monotonic() + seconds
        while not (said := self.fetch(probe, [where])[where]) and time.monotonic() < deadline:
            time.sleep(0.3)
        return said

    @contextmanager
    def forwarded(self, probe: Probe, port: int) -> Iterator[ByteStream]:
        """A connection to a probe's port, by ``kubectl port-forward``. Raises Failed, HostError."""
        log = f"/run/{self.namespace}-forward"
        forward = ["kubectl", "--kubeconfig", ADMIN_CONF, "port-forward", "--namespace", self.namespace]
        command = shlex.join(["env", f"PATH={PATH}", "timeout", "60", *forward, probe.name, f":{port}"])
        pid = self._host.run(f"{command} </dev/null >{log} 2>&1 & echo $!").text.strip()
        try:
            pattern = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
            found = wait_for(
                lambda: pattern.search((self._host.read(log) or b"").decode(errors="replace")),
                f"kubectl port-forward to {probe.name} on {probe.node}",
                timeout=20,
            )
            stream = self._host.dial("127.0.0.1", int(found[1]))
            try:
                yield stream
            finally:
                stream.close()
        finally:
            self._host.run(f"kill {pid} 2>/dev/null; rm -f {log}", check=False)

    def fetch(self, probe: Probe, urls: Sequence[str]) -> dict[str, str]:
        """What the probe gets from each URL; nothing where none answered in time. Raises ClusterError."""
        program = (
            'for u in "$@"; do timeout 5 wget -q -O - "$u" 2>/dev/null | head -n 1; echo "$u done"; done'
        )
        found: dict[str, str] = dict.fromkeys(urls, "")
        said: list[str] = []
        answer = self.exec(probe, "sh", "-c", program, "sh", *urls, timeout=30.0 + 6 * len(urls))
        for line in answer.splitlines():
            url, _, end = line.rpartition(" ")
            if end == "done" and url in found:
                found[url], said = "\n".join(said), []
            else:
                said.append(line)
        return found

    def raw(self, path: str) -> str:
        """A path of the API server's. Raises ClusterError."""
        return self.kubectl("get", "--raw", path)

    def close(self) -> list[str]:
        """Remove what was made; what could not be is returned, in words."""
        if not self._made:
            return []
        try:
            self.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")
        except ClusterError as error:
            return [f"namespace {self.namespace}: {error}"]
        return []

    def _run(self, argv: list[str], stdin: bytes, timeout: float) -> Answer:
        try:
            done = self._host.run(shlex.join(argv), stdin=stdin, timeout=timeout, check=False)
        except HostError as error:
            raise ClusterError(str(error), host=self._host.name) from error
        return Answer(done.code, done.stdout, done.stderr)

    def _make(self, nodes: Sequence[str]) -> None:
        """A new namespace takes no pods until it has its service account, a moment later."""
        self._made = True
        self._remove_stale()
        deadline = time.monotonic() + 30
        while True:
            try:
                self.kubectl.apply(*self._objects(nodes))
            except ClusterError as error:  # noqa: PERF203 - the loop is the retry
                if "serviceaccount" not in error.reason or time.monotonic() > deadline:
                    raise
                time.sleep(0.3)
            else:
                return

    def _remove_stale(self) -> None:
        now = datetime.now(UTC)
        for item in self.kubectl.get("namespaces", "--selector", _LABEL)["items"]:
            made = datetime.fromisoformat(item["metadata"]["creationTimestamp"])
            if now - made > _STALE:
                self.kubectl.delete("namespace", item["metadata"]["name"], "--wait=false")

    def _objects(self, nodes: Sequence[str]) -> list[dict[str, Any]]:
        labels = {_LABEL: "probe"}
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": labels},
        }
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": self.namespace},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
        }
        pods = [self._pod(f"probe-{index}", node, labels) for index, node in enumerate(nodes)]
        return [namespace, service, *pods]

    def _pod(self, name: str, node: str, labels: Mapping[str, str]) -> dict[str, Any]:
        serve = f"mkdir -p /tmp/www && echo {name} > /tmp/www/index.html && echo {name} is up && "
        container = {
            "name": "web",
            "image": self._image,
            "command": ["sh", "-c", serve + f"exec httpd -f -p {PORT} -h /tmp/www"],
            "ports": [{"containerPort": PORT, "hostPort": self.host_port}],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace, "labels": dict(labels)},
            "spec": {
                "nodeName": node,
                "containers": [container],
                "tolerations": [{"operator": "Exists"}],
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
            },
        }

    def _await(self, names: Sequence[str]) -> Sequence[Probe]:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            items = self.kubectl.get("pods", "--namespace", self.namespace)["items"]
            waiting = [item for item in items if not _ready(item)]
            if not waiting and len(items) == len(names):
                return [_probe(item) for item in items]
            if time.monotonic() > deadline:
                said = "; ".join(_why(item) for item in waiting)
                raise Failed(f"pods are not ready after {_READY_SECONDS:.0f} s: {said}")
            time.sleep(0.4)


def url(address: str, port: int) -> str:
    """Of a web server."""
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def of(host: Host, run_id: str, image: str) -> Cluster:
    """The cluster that the host is a control plane of. Raises NotApplicable, HostError."""
    if host.refusal is not None:
        raise NotApplicable(f"it needs commands as root on the host: {host.refusal}")
    if host.run(f"test -e {ADMIN_CONF}", check=False).code != 0:
        raise NotApplicable("this host is no control plane; the cluster is proved from one")
    return Cluster(host, run_id, image)


def _ready(item: Mapping[str, Any]) -> bool:
    status = item.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    return conditions.get("Ready") == "True" and bool(status.get("podIP"))


def _probe(item: Mapping[str, Any]) -> Probe:
    status = item["status"]
    addresses = tuple(each["ip"] for each in status.get("podIPs") or ()) or (status["podIP"],)
    return Probe(item["metadata"]["name"], item["spec"]["nodeName"], addresses)


def _why(item: Mapping[str, Any]) -> str:
    status = item.get("status") or {}
    states = [each.get("state") or {} for each in status.get("containerStatuses") or ()]
    waiting = [state["waiting"] for state in states if state.get("waiting")]
    reason = json.dumps(waiting[0]) if waiting else str(status.get("phase"))
    return f"{item['metadata']['name']} on {item['spec'].get('nodeName')}: {reason}"
