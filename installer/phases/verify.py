"""The proof: each host's endpoint (T0) and the cluster as its users meet it (T3)."""

from __future__ import annotations

from installer.errors import ConnectError, VerifyError
from installer.phases.base import Phase
from installer.phases.kubernetes import kubernetes_of
from installer.report import HostState
from installer.run import Run


class Verify(Phase):
    name = "verify"
    title = "Verification"

    def should_run(self, run: Run) -> bool:
        kubernetes = run.kubernetes
        return bool(run.active) and kubernetes is not None and kubernetes.network.kind != "none"

    def run(self, run: Run) -> None:
        # Here, not above: grpc and the CRI's messages are not needed by runs that end earlier.
        from installer.verify import fleet
        from installer.verify.endpoint import DEFAULT_ENDPOINT
        from installer.verify.options import Options
        from installer.verify.result import EndpointReport, Outcome

        def judge(report: EndpointReport) -> None:
            failed = [result for result in report.results if result.outcome is Outcome.FAILED]
            if report.error is not None:
                error = ConnectError(report.error, host=report.host, step="verify", fix=report.fix)
                run.fail(error, state=HostState.UNREACHABLE)
            elif failed or report.leftovers:
                reason = "; ".join(
                    [*(f"{result.id}: {result.evidence}" for result in failed), *report.leftovers]
                )
                fix = "; ".join(dict.fromkeys(result.fix for result in failed if result.fix))
                tier = f"T{report.failed_tier}"
                run.fail(VerifyError(reason, tier=tier, host=report.host, step="verify", fix=fix or None))
            for result in report.results:
                run.verified.append((report.host, result))

        reached = kubernetes_of(run).state.control_plane
        targets = [
            fleet.connected_target(
                run.connections[host.name],
                DEFAULT_ENDPOINT,
                python=(host.facts.python_path if host.facts else None) or "python3",
                tiers=(0, 3) if host.name == reached else (0,),
            )
            for host in run.active
        ]
        for report in fleet.verify_all(targets, (0, 3), options=Options(), cancelled=run.interrupted.is_set):
            judge(report)

    def dry_run(self, run: Run) -> None:
        """Nothing is there yet to be proved."""
