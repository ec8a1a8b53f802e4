"""Let the roles set up the container runtime: playbooks/runtime.yml on every host still in the run."""

from __future__ import annotations

from collections.abc import Sequence

from installer.ansible import play
from installer.cluster.spec import HostSpec
from installer.errors import ConnectError, ConvergeError
from installer.phases.base import Phase
from installer.report import HostState
from installer.run import Run


class Runtime(Phase):
    name = "runtime"
    title = "Container runtime"

    def run(self, run: Run) -> None:
        converge(run, "runtime.yml", check=False)

    def dry_run(self, run: Run) -> None:
        converge(run, "runtime.yml", check=True)


def converge(run: Run, playbook: str, *, check: bool, hosts: Sequence[HostSpec] | None = None) -> None:
    """Play a book on the active hosts, or these of them; failed, unreached and unmatched ones leave the run
    by name."""
    hosts = run.active if hosts is None else hosts
    if not hosts:
        return
    results = play(
        playbook,
        spec=run.spec,
        hosts=hosts,
        host_variables=run.host_variables,
        workdir=run.workdir,
        ssh_config=run.ssh_config,
        progress=run.progress,
        cancelled=run.interrupted.is_set,
        check=check,
        verbosity=run.verbosity,
    )
    run.raise_if_interrupted()
    for host in hosts:
        result = results[host.name]
        run.changed[host.name] = run.changed.get(host.name, 0) + result.changed
        run.effects.setdefault(host.name, []).extend(result.effects)
        run.tasks[host.name] = run.tasks.get(host.name, 0) + result.ran
        run.skipped_tasks[host.name] = run.skipped_tasks.get(host.name, 0) + result.skipped
        if result.unreachable:
            error = ConnectError(result.reason, host=host.name, step=result.step, fix=result.fix)
            run.fail(error, state=HostState.UNREACHABLE)
        elif result.failed:
            run.fail(ConvergeError(result.reason, host=host.name, step=result.step, fix=result.fix))
        elif not result.ran:
            left_out = ConvergeError(
                f"{playbook} ran nothing on it",
                host=host.name,
                step=result.step,
                fix="see the log: Ansible left it out",
            )
            run.fail(left_out, state=HostState.SKIPPED)
