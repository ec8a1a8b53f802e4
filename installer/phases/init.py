"""The first control plane: kubeadm init, unless there is a cluster already."""

from __future__ import annotations

from installer.cluster.spec import HostSpec
from installer.control_plane.access import revoke
from installer.control_plane.observe import kubectl_on, observe
from installer.errors import ClusterError
from installer.kubeadm import render
from installer.kubeadm.settings import Secrets
from installer.phases.base import Phase
from installer.phases.kubernetes import kubernetes_of
from installer.phases.runtime import converge
from installer.report import HostState
from installer.run import Run


class Init(Phase):
    name = "init"
    title = "First control plane"

    def should_run(self, run: Run) -> bool:
        """Not where an API server answers and knows the host through which it did: that is the proof."""
        if not run.active or run.kubernetes is None:
            return bool(run.active)
        reached = run.kubernetes.state.control_plane
        return reached is None or not run.kubernetes.is_member(run.spec.host(reached))

    def run(self, run: Run) -> None:
        kubernetes = kubernetes_of(run)
        host = _first(run)
        if host is None:
            give_up_the_rest(run, "no control plane is left to begin with")
            return
        secrets = run_secrets(run)
        run.host_variables.setdefault(host.name, {}).update(
            kubeadm_init_config=render.init_file(kubernetes.cluster, kubernetes.node(host), secrets),
            kubeadm_init_arguments=list(render.init_arguments(kubernetes.cluster, secrets)),
            kubeadm_init_node=kubernetes.node(host).name,
        )
        converge(run, "kubeadm_init.yml", check=run.check, hosts=[host])
        if not run.check and host.name not in run.outcomes:
            kubernetes.state = observe(run.active, run.connections)
            if kubernetes.state.control_plane is None:
                reason = f"kubeadm init is done, but no API server answers: {kubernetes.state.complaint}"
                run.fail(ClusterError(reason, host=host.name, step="init", fix="run `nodestrap up` again"))
        if host.name in run.outcomes:
            give_up_the_rest(run, f"the first control plane, {host.name}, has failed")

    def undo(self, run: Run) -> None:
        """init makes a token, and where nobody joins no other phase takes it back."""
        take_back_secrets(run)


def run_secrets(run: Run) -> Secrets:
    """The one token of this run, and the key for certificates where more than one control plane is wanted."""
    kubernetes = kubernetes_of(run)
    if kubernetes.secrets is None:
        several = sum(host.is_control_plane for host in run.spec.hosts) > 1
        kubernetes.secrets = Secrets.generate(certificate_key=several)
        if run.journal is not None:
            run.journal.token(kubernetes.secrets.token_id, certificates=several)
    return kubernetes.secrets


def take_back_secrets(run: Run) -> None:
    """Whichever phase made them known to the cluster. Once is enough. Raises ClusterError."""
    kubernetes = run.kubernetes
    reached = kubernetes.state.control_plane if kubernetes else None
    if kubernetes is None or kubernetes.secrets is None or reached is None or run.check:
        return
    if reached in run.connections:
        secrets, kubernetes.secrets = kubernetes.secrets, None
        certificates = secrets.certificate_key is not None
        revoke(kubectl_on(run.connections[reached]), [secrets.token_id], certificates=certificates)
        if run.journal is not None:
            run.journal.token_revoked(secrets.token_id)


def give_up_the_rest(run: Run, reason: str) -> None:
    """Without a cluster there is nothing to join: every host still in the run is reported so."""
    for host in run.active:
        error = ClusterError(f"not joined: {reason}", host=host.name, step="init", fix="run again after that")
        run.fail(error, state=HostState.SKIPPED)


def _first(run: Run) -> HostSpec | None:
    """Where to run it. A second cluster must not come of it: while a control plane cannot be asked whether
    there is one, or holds the files of one, no other host begins."""
    kubernetes = kubernetes_of(run)
    wanted = [host for host in run.spec.hosts if host.is_control_plane]
    active = {host.name for host in run.active}
    for host in wanted:
        state = kubernetes.state.host(host.name)
        # A control plane whose join was cut short has a cluster: it joins again, and begins nothing.
        if host.name in active and state.entered and state.attempt != "join":
            return host
    joining = [host.name for host in wanted if kubernetes.state.host(host.name).attempt == "join"]
    if joining:
        reason = f"{', '.join(joining)} was joining a cluster of which no control plane answers"
        give_up_the_rest(
            run, f"{reason} ({kubernetes.state.complaint})" if kubernetes.state.complaint else reason
        )
        return None
    if any(host.name not in active for host in wanted):
        lost = ", ".join(host.name for host in wanted if host.name not in active)
        give_up_the_rest(run, f"whether there is a cluster already cannot be asked on {lost}")
        return None
    return wanted[0] if wanted else None
