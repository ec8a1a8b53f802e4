"""What each verb does, in order: the table of contents of the installer."""

from __future__ import annotations

from installer import manager
from installer.phases.artifacts import Artifacts
from installer.phases.base import Phase
from installer.phases.bundle_packages import BundlePackages
from installer.phases.cluster import Cluster
from installer.phases.connect import Connect
from installer.phases.drain import DeleteNode, Drain
from installer.phases.facts import Facts
from installer.phases.foreign import DiscoveryFile, ForeignCluster, NodeReady
from installer.phases.gate import Gate
from installer.phases.init import Init
from installer.phases.join import Admission, JoinControlPlanes, JoinWorkers
from installer.phases.kubernetes import KubernetesPrograms
from installer.phases.leave import Leave
from installer.phases.left_tokens import LeftTokens
from installer.phases.network import Network
from installer.phases.node_settings import NodeSettings
from installer.phases.nodes import BeforeNodes, Nodes
from installer.phases.preflight import Preflight
from installer.phases.remove_pods import RemovePods
from installer.phases.reset import Reset
from installer.phases.runtime import Runtime
from installer.phases.ssh_answers import SshAnswers
from installer.phases.through import Through
from installer.phases.verify import Verify

PREFLIGHT: tuple[Phase, ...] = (Connect(), Preflight())

# Bare hosts to hosts with a container runtime; nothing of Kubernetes is asked for or looked at.
RUNTIME: tuple[Phase, ...] = (
    Connect(),
    Preflight(),
    Artifacts(),
    BundlePackages(),
    Runtime(),
    Gate(),
)

# Bare hosts to a cluster.
UP: tuple[Phase, ...] = (
    Connect(),
    Preflight(),
    Cluster(),
    Artifacts(),
    BundlePackages(),
    BeforeNodes(Runtime()),
    BeforeNodes(Gate()),
    BeforeNodes(KubernetesPrograms()),
    Nodes(),
    Init(),
    Admission(),
    JoinControlPlanes(),
    JoinWorkers(),
    LeftTokens(),
    Network(),
    NodeSettings(),
    Verify(),
)

# Hosts into a cluster of the inventory, of which one control plane is asked.
JOIN: tuple[Phase, ...] = (
    Through(),
    Preflight(),
    Cluster(),
    Artifacts(),
    BundlePackages(),
    Runtime(),
    Gate(),
    KubernetesPrograms(),
    Admission(),
    JoinControlPlanes(),
    JoinWorkers(),
    LeftTokens(),
    Network(),
    NodeSettings(),
    Verify(),
)

# Hosts into somebody else's cluster, none of whose hosts is asked.
JOIN_FOREIGN: tuple[Phase, ...] = (
    Connect(),
    Preflight(),
    ForeignCluster(),
    Artifacts(),
    BundlePackages(),
    Runtime(),
    Gate(),
    KubernetesPrograms(),
    DiscoveryFile(),
    JoinControlPlanes(),
    JoinWorkers(),
    NodeReady(),
    Verify(),
)

REMOVE: tuple[Phase, ...] = (
    Through(),
    Facts(),
    Drain(),
    Leave(),
    DeleteNode(),
    RemovePods(),
    Reset(),
    SshAnswers(),
)

# The hosts cannot be reached, and never will be.
REMOVE_GONE: tuple[Phase, ...] = (
    Through(control_plane_only=True),
    Facts(),
    DeleteNode(),
)

RESET: tuple[Phase, ...] = (
    Connect(),
    Facts(),
    Leave(),
    RemovePods(),
    Reset(),
    SshAnswers(),
)


def up_to(until: str | None) -> tuple[Phase, ...]:
    """The plan of `up --until`: up to the container runtime nothing of Kubernetes is looked at.

    Raises UsageError for a phase that there is not.
    """
    runtime = {phase.name for phase in RUNTIME} | {phase.stage for phase in RUNTIME}
    return manager.until(RUNTIME if until in runtime else UP, until)
