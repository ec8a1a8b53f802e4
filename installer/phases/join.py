"""Further hosts: a way in for this run, then kubeadm join, control planes one by one and workers at once."""

from __future__ import annotations

from collections.abc import Sequence

from installer.cluster.spec import HostSpec
from installer.control_plane.access import Access, admit, upload_certificates
from installer.control_plane.observe import ClusterState, kubectl_on, observe
from installer.control_plane.stale_watches import restart_if_stale
from installer.errors import ClusterError
from installer.kubeadm import render
from installer.kubeadm.settings import Discovery
from installer.phases.base import Phase
from installer.phases.init import give_up_the_rest, run_secrets, take_back_secrets
from installer.phases.kubernetes import kubernetes_of
from installer.phases.runtime import converge
from installer.run import Run

_NO_HASH = f"sha256:{'0' * 64}"  # for check mode, where there is no cluster to have one


class Admission(Phase):
    """The token is made when a host needs it, and taken back when the run ends, however it does."""

    name = "admission"
    stage = "join"
    title = "Way in"

    def should_run(self, run: Run) -> bool:
        return run.kubernetes is not None and bool(newcomers(run)) and run.kubernetes.access is None

    def run(self, run: Run) -> None:
        kubernetes = kubernetes_of(run)
        reached = kubernetes.state.control_plane
        if reached is None:
            give_up_the_rest(run, f"no API server answers: {kubernetes.state.complaint}")
            return
        secrets, host = run_secrets(run), run.spec.host(reached)
        kubectl = kubectl_on(run.connections[reached])
        admit(kubectl, secrets)
        if any(each.is_control_plane for each in newcomers(run)):
            upload_certificates(kubectl, render.init_file(kubernetes.cluster, kubernetes.node(host), secrets))
        kubernetes.access = Access(
            secrets, _discovery(run, kubernetes.state.host(reached).ca_hash or _NO_HASH)
        )

    def dry_run(self, run: Run) -> None:
        """With stand-ins, so that the roles can say what would change."""
        kubernetes_of(run).access = Access(run_secrets(run), _discovery(run, _NO_HASH))

    def undo(self, run: Run) -> None:
        take_back_secrets(run)


class JoinControlPlanes(Phase):
    name = "control_planes"
    stage = "join"
    title = "Further control planes"

    def should_run(self, run: Run) -> bool:
        return any(host.is_control_plane for host in newcomers(run))

    def run(self, run: Run) -> None:
        # One by one: etcd takes one new member at a time.
        for host in [each for each in newcomers(run) if each.is_control_plane]:
            join(run, [host])
        if not run.check:
            _refresh_api_servers(run)


class JoinWorkers(Phase):
    name = "workers"
    stage = "join"
    title = "Workers"

    def should_run(self, run: Run) -> bool:
        return any(not host.is_control_plane for host in newcomers(run))

    def run(self, run: Run) -> None:
        join(run, [host for host in newcomers(run) if not host.is_control_plane])


def newcomers(run: Run) -> list[HostSpec]:
    """Hosts that are not fully nodes of this cluster, or whose kubelet is not well."""
    kubernetes = run.kubernetes
    if kubernetes is None:
        return []
    return [
        host
        for host in run.active
        if host.name != kubernetes.state.control_plane
        and not kubernetes.is_member(host)
        and not (run.check and kubernetes.state.control_plane is None and host.name == _first_name(run))
    ]


def join(run: Run, hosts: Sequence[HostSpec]) -> None:
    """kubeadm join on these hosts, through the run's access; then see what has become of them."""
    kubernetes = kubernetes_of(run)
    access = kubernetes.access
    if access is None:
        return  # Admission has said why
    for host in hosts:
        node = kubernetes.node(host)
        config = render.join_file(
            kubernetes.cluster, node, access.secrets, access.discovery, control_plane=host.is_control_plane
        )
        run.host_variables.setdefault(host.name, {}).update(
            kubeadm_join_config=config,
            kubeadm_join_node=node.name,
            kubeadm_join_control_plane=host.is_control_plane,
            kubeadm_join_ca_cert_hashes=list(access.discovery.ca_cert_hashes),
        )
    converge(run, "kubeadm_join.yml", check=run.check, hosts=hosts)


def _refresh_api_servers(run: Run) -> None:
    """One after the other: the others answer meanwhile."""
    for host in run.asked:
        if host.is_control_plane and host.name in run.connections:
            server = f"https://{kubernetes_of(run).api_server(host.name)}"
            try:
                restarted = restart_if_stale(kubectl_on(run.connections[host.name]), server)
            except ClusterError as error:
                run.fail(error)
                continue
            if restarted:
                run.progress.step(host.name, "API server restarted: its watches of etcd had stood still")


def refresh(run: Run) -> ClusterState:
    """Ask again what there is; keeps and returns it. Raises ClusterError where no API server answers."""
    kubernetes = kubernetes_of(run)
    kubernetes.state = observe(run.asked, run.connections)
    if kubernetes.state.control_plane is None:
        raise ClusterError(
            f"no API server answers: {kubernetes.state.complaint}",
            step="join",
            fix="`crictl ps -a` and `journalctl -u kubelet` on a control plane show why",
        )
    return kubernetes.state


def _discovery(run: Run, ca_hash: str) -> Discovery:
    kubernetes = kubernetes_of(run)
    through = kubernetes.state.control_plane or _first_name(run)
    return Discovery(kubernetes.endpoint(through) if through else "192.0.2.1", (ca_hash,))


def _first_name(run: Run) -> str | None:
    return next((host.name for host in run.spec.hosts if host.is_control_plane), None)
