"""The CRI gate: before a kubelet may rely on a host's runtime, the runtime answers for itself (tier T0)."""

from __future__ import annotations

from functools import partial

from installer.errors import ConnectError, VerifyError
from installer.phases.base import Phase
from installer.report import HostState
from installer.run import Run


class Gate(Phase):
    name = "gate"
    stage = "runtime"
    title = "CRI gate"

    def run(self, run: Run) -> None:
        # Here, not above: grpc and the CRI's messages are not needed by runs that end earlier.
        from installer.verify import fleet
        from installer.verify.endpoint import DEFAULT_ENDPOINT
        from installer.verify.options import Options
        from installer.verify.result import EndpointReport, Outcome
        from installer.verify.ssh_host import over_ssh

        def judge(report: EndpointReport) -> None:
            failed = [
                result
                for result in report.results
                if result.outcome is Outcome.FAILED and not _later(run, report.host, result.id)
            ]
            if report.error is not None:
                error = ConnectError(report.error, host=report.host, step="gate", fix=report.fix)
                run.fail(error, state=HostState.UNREACHABLE)
            elif failed:
                reason = "; ".join(f"{result.id}: {result.evidence}" for result in failed)
                fix = "; ".join(dict.fromkeys(result.fix for result in failed if result.fix))
                run.fail(VerifyError(reason, tier="T0", host=report.host, step="gate", fix=fix or None))

        targets = [
            fleet.Target(
                host.name,
                DEFAULT_ENDPOINT,
                partial(
                    over_ssh,
                    run.connections[host.name],
                    python=(host.facts.python_path if host.facts else None) or "python3",
                ),
            )
            for host in run.active
        ]
        for report in fleet.verify_all(targets, (0,), options=Options(), cancelled=run.interrupted.is_set):
            judge(report)

    def dry_run(self, run: Run) -> None:
        """Nothing is there yet to be asked."""


def _later(run: Run, host: str, check: str) -> bool:
    """On a host that kubeadm has been to, the pod network is the cluster's, and a later phase's matter."""
    kubernetes = run.kubernetes
    return check == "runtime.network-ready" and kubernetes is not None and kubernetes.state.host(host).entered
