"""Programs, kubelet's unit, images and the network's agent: playbooks/kubernetes.yml."""

from __future__ import annotations

from installer.kubernetes import Kubernetes
from installer.phases.base import Phase
from installer.phases.runtime import converge
from installer.run import Run


class KubernetesPrograms(Phase):
    name = "kubernetes"
    title = "Kubernetes programs"

    def run(self, run: Run) -> None:
        tell_the_roles(run)
        converge(run, "kubernetes.yml", check=run.check)


def kubernetes_of(run: Run) -> Kubernetes:
    """The run's cluster. The phase ``cluster`` came before: every plan with Kubernetes in it starts so."""
    assert run.kubernetes is not None
    return run.kubernetes


def tell_the_roles(run: Run) -> None:
    """What the cluster's roles need to know of it, host by host."""
    kubernetes = kubernetes_of(run)
    for host in run.active:
        run.host_variables.setdefault(host.name, {}).update(
            pod_network_node=kubernetes.node(host).name,
            api_balancer_servers=list(kubernetes.api_servers),
            pod_network_subnets=list(kubernetes.cluster.pod_subnets),
        )
