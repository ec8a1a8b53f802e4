"""Somebody else's cluster, of which only a way in is known: joined without asking any of its hosts."""

from __future__ import annotations

import json
import time
from typing import Final

from installer.cluster.spec import HostSpec
from installer.control_plane.observe import ClusterState, host_state
from installer.errors import ClusterError
from installer.kubernetes import wanted
from installer.phases.base import Phase
from installer.phases.kubernetes import kubernetes_of
from installer.run import Run

DISCOVERY_FILE: Final = "/run/nodestrap-discovery.conf"  # on the joining host, for the time of the run
_KUBELET_CONF: Final = "/etc/kubernetes/kubelet.conf"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_READY_SECONDS: Final = 240.0


class ForeignCluster(Phase):
    """Takes the way in that the user gave (``run.access``) for that of the cluster."""

    name = "cluster"
    title = "Cluster"

    def run(self, run: Run) -> None:
        run.kubernetes = wanted(run.spec, run.everyone)
        run.kubernetes.access = run.access
        states = {host.name: host_state(run.connections[host.name]) for host in run.active}
        run.kubernetes.state = ClusterState(states)
        for host in run.active:
            if states[host.name].entered:  # a first network of its own is no part of a cluster
                run.host_variables.setdefault(host.name, {})["cni_plugins_network"] = "none"


class DiscoveryFile(Phase):
    """Puts the file given with --discovery-file onto the hosts, where kubeadm reads it, and takes it back."""

    name = "discovery"
    stage = "join"
    title = "Way in"

    def should_run(self, run: Run) -> bool:
        return bool(run.active) and run.discovery_file is not None

    def run(self, run: Run) -> None:
        content = (run.discovery_file or "").encode()
        script = f"umask 077; rm -f {DISCOVERY_FILE}; cat > {DISCOVERY_FILE}"
        for host in run.active:
            answer = run.connections[host.name].run(["sh", "-c", script], content, timeout=30)
            if answer.status != 0:
                reason = (
                    f"{DISCOVERY_FILE} cannot be written: {answer.stderr.decode(errors='replace').strip()}"
                )
                run.fail(ClusterError(reason, host=host.name, step="join", fix="is /run full?"))

    def dry_run(self, run: Run) -> None:
        """Check mode reads no file."""

    def undo(self, run: Run) -> None:
        for connection in () if run.check else run.connections.values():
            connection.run(["rm", "-f", DISCOVERY_FILE], timeout=30)


class NodeReady(Phase):
    """Waits until each host's node is ready, as the host's own kubelet may ask."""

    name = "ready"
    title = "Node ready"

    def run(self, run: Run) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        waiting, reasons = list(run.active), dict.fromkeys((host.name for host in run.active), "")
        while waiting and time.monotonic() < deadline:
            run.raise_if_interrupted()
            for host in list(waiting):
                run.progress.step(host.name, "becoming ready")
                reasons[host.name] = _why_not(run, host)
                if not reasons[host.name]:
                    waiting.remove(host)
            if waiting:
                time.sleep(0.5)
        for host in waiting:
            reason = f"not ready within {_READY_SECONDS:.0f} s: {reasons[host.name]}"
            error = ClusterError(reason, host=host.name, step="ready")
            error.fix = "`journalctl -u kubelet -u pycri` on the host; does the cluster bring a pod network?"
            run.fail(error)

    def dry_run(self, run: Run) -> None:
        """Nothing has joined."""


def _why_not(run: Run, host: HostSpec) -> str:
    """Why the node is not ready; empty when it is."""
    name = kubernetes_of(run).node(host).name
    kubectl = ["kubectl", "--kubeconfig", _KUBELET_CONF, "--request-timeout=10s"]
    argv = ["env", f"PATH={_PATH}", *kubectl, "get", "node", name, "--output=json"]
    answer = run.connections[host.name].run(argv, timeout=30)
    if answer.status != 0:
        return answer.stderr.decode(errors="replace").strip()
    conditions = json.loads(answer.stdout)["status"].get("conditions") or ()
    ready = next((entry for entry in conditions if entry["type"] == "Ready"), None)
    if ready is None:
        return "the kubelet has not said anything yet"
    return "" if ready["status"] == "True" else str(ready.get("message") or "its kubelet does not say why")
