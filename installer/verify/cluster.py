"""The cluster behind a control plane's endpoint, for checks of T3: kubectl, nodes, and pods that are ours.

One namespace holds everything that a run makes; removing it removes all of it. Every node gets one pod with a
small web server, a Service leads to all of them.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from installer.control_plane.kubectl import ADMIN_CONF, Kubectl
from installer.control_plane.observe import NodeState, node_states
from installer.errors import ClusterError
from installer.verify.check import Failed, NotApplicable
from installer.verify.host import Host, HostError

PORT: Final = 8080  # of the web server in each pod
HOST_PORT: Final = 28080  # outside of NodePorts' range, and of what nodes listen on
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

    def exec(self, probe: Probe, *words: str, timeout: float = 30.0) -> str:
        """stdout of a command in a probe, through the API server. Raises ClusterError."""
        return self.kubectl("exec", probe.name, "--namespace", self.namespace, "--", *words, timeout=timeout)

    def fetch(self, probe: Probe, urls: Sequence[str]) -> dict[str, str]:
        """What the probe gets from each URL; nothing where none answered in time. Raises ClusterError."""
        program = 'for u in "$@"; do wget -q -T 5 -O - "$u" 2>/dev/null | head -n 1; echo "$u done"; done'
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

    def _objects(self, nodes: Sequence[str]) -> list[dict[str, Any]]:
        labels = {_LABEL: "probe"}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
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
            "ports": [{"containerPort": PORT, "hostPort": HOST_PORT}],
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
