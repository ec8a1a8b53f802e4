"""One run of a plan: what the phases hand on to each other."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from installer.cluster.facts import HostFacts
from installer.cluster.spec import ClusterSpec, HostSpec
from installer.control_plane.access import Access
from installer.effects import Effect, merge
from installer.errors import Interrupted, NodestrapError
from installer.kubernetes import Kubernetes
from installer.preflight.gather import ProbeSession
from installer.preflight.matrix import CheckResult
from installer.progress import Progress
from installer.report import HostOutcome, HostState
from installer.ssh.connection import Connection

if TYPE_CHECKING:
    from installer.journal import Journal
    from installer.verify.result import Result


@dataclass
class Run:
    """Phases read ``spec`` and what earlier phases left; they end a host with ``fail``, never with an
    exception (which would end the run for all hosts)."""

    spec: ClusterSpec
    progress: Progress
    workdir: Path  # private to this run and gone after it
    check: bool = False
    journal: Journal | None = None  # in runs that change something
    take_locks: bool = True
    everyone: tuple[HostSpec, ...] = ()  # all hosts of the inventory, where the run works on some of them
    bystanders: frozenset[str] = frozenset()  # hosts of ``spec`` that are asked, but not worked on
    access: Access | None = None  # a way into somebody else's cluster
    discovery_file: str | None = field(default=None, repr=False)  # and a kubeconfig's text that leads there
    force: bool = False  # drain: also pods that nothing starts again
    drain_timeout: float = 300.0  # seconds
    skip_checks: tuple[str, ...] = ()
    verbosity: int = 0
    bundle: Path | None = None  # an unpacked bundle: the only source of everything
    connections: dict[str, Connection] = field(default_factory=dict)
    sessions: dict[str, ProbeSession] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)
    host_variables: dict[str, dict[str, Any]] = field(default_factory=dict)  # for Ansible, by host
    kubernetes: Kubernetes | None = None  # in runs that go further than the container runtime
    changed: dict[str, int] = field(default_factory=dict)
    effects: dict[str, list[Effect]] = field(default_factory=dict)  # what tasks said they changed, by host
    tasks: dict[str, int] = field(default_factory=dict)  # Ansible's, that ran; those skipped apart
    skipped_tasks: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, HostOutcome] = field(default_factory=dict)  # hosts whose run has ended early
    verified: list[tuple[str, Result]] = field(default_factory=list)  # host and check, of the last phase
    warnings: list[str] = field(default_factory=list)
    interrupted: threading.Event = field(default_factory=threading.Event)

    @property
    def active(self) -> tuple[HostSpec, ...]:
        """The hosts that are still in the run, to be worked on."""
        return tuple(host for host in self.asked if host.name not in self.bystanders)

    @property
    def asked(self) -> tuple[HostSpec, ...]:
        """The hosts that are still in the run, bystanders included."""
        return tuple(host for host in self.spec.hosts if host.name not in self.outcomes)

    @property
    def ssh_config(self) -> Path:
        return self.workdir / "ssh_config"

    def fail(self, error: NodestrapError, *, state: HostState = HostState.FAILED) -> None:
        """End the run of ``error.host``; the others go on."""
        assert error.host is not None  # the caller's duty: a report without a name helps nobody
        outcome = HostOutcome(
            host=error.host,
            state=state,
            changed=self.changed.get(error.host, 0),
            tasks=self.tasks.get(error.host, 0),
            skipped_tasks=self.skipped_tasks.get(error.host, 0),
            step=error.step,
            reason=error.reason,
            fix=error.fix,
            exit_code=error.exit_code,
            effects=merge(self.effects.get(error.host, ())),
        )
        self.outcomes[error.host] = outcome
        self.progress.done(outcome)

    def learn(self, facts: Mapping[str, HostFacts]) -> None:
        """Put the hosts' facts into the spec."""
        hosts = tuple(replace(host, facts=facts.get(host.name, host.facts)) for host in self.spec.hosts)
        self.spec = replace(self.spec, hosts=hosts)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self.progress.note(f"warning: {text}")

    def raise_if_interrupted(self) -> None:
        if self.interrupted.is_set():
            raise Interrupted(
                "interrupted",
                fix="run the same command again: it goes on from what the hosts have reached",
            )
