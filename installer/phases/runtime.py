"""Let the roles set up the container runtime: playbooks/runtime.yml on every host still in the run."""

from __future__ import annotations

from installer.ansible import play
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


def converge(run: Run, playbook: str, *, check: bool) -> None:
    """Play a book on the active hosts; failed, unreached and unmatched ones leave the run by name."""
    hosts = run.active
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
