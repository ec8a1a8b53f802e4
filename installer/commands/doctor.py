"""``nodestrap doctor``: why is this host sick?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from installer.commands._cluster_options import ClusterOptions, cluster_options, private_workdir, read_spec
from installer.errors import UsageError
from installer.options import GlobalOptions, current


@click.command("doctor")
@cluster_options
@click.option(
    "--record",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Also write what each host said there, as HOST.json, for a report to somebody else.",
)
@click.option("--list", "list_only", is_flag=True, help="Name the causes that it knows and end.")
def command(record: Path | None, list_only: bool, **options: Any) -> int:
    """Look at sick hosts and say what they are sick of, the likeliest cause first.

    Each cause comes with the line that proves it and with its fix. Without -i it looks at this machine (as
    root). One read-only look per host: journals, dead static pods' logs, cgroup drivers, sockets, the pause
    image, certificates, disk and clock. Exit code 12 says that a cause was found, 3 that a host could not be
    reached, 0 that all are healthy (warnings or not).
    """
    if list_only:
        return _list(current())
    from rich.console import Console

    from installer.doctor.diagnose import diagnose
    from installer.doctor.gather import Answer
    from installer.doctor.report import Diagnosis, exit_code, print_diagnoses

    def judge(answer: Answer) -> Diagnosis:
        evidence = answer.evidence
        if evidence is None:
            return Diagnosis(answer.host, error=answer.error)
        return Diagnosis(
            answer.host,
            tuple(diagnose(evidence)),
            last_failure=evidence.last_failure,
            unseen=tuple(f"{name}: {reason}" for name, reason in evidence.failed.items()),
        )

    answers = _answers(ClusterOptions(**options))
    if record is not None:
        _write(answers, record)
    diagnoses = [judge(answer) for answer in answers]
    code = exit_code(diagnoses)
    settings = current()
    if settings.json:
        document = {"exit_code": code, "hosts": [each.as_dict() for each in diagnoses]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        console = Console(no_color=not settings.color, highlight=False)
        print_diagnoses(diagnoses, console, quiet=settings.verbosity < 0)
    return code


for _parameter in command.params:
    if _parameter.name == "inventory":
        _parameter.required = False  # other verbs always need one; without it, this machine is looked at


def _answers(options: ClusterOptions) -> Sequence[Any]:
    from installer.doctor.gather import gather_all, gather_here

    if not options.inventory:
        if options.limit is not None:
            raise UsageError("--limit chooses among an inventory's hosts", fix="name the inventory with -i")
        return [gather_here()]
    from installer.doctor.last_failures import last_failures
    from installer.progress import choose
    from installer.ssh.openssh import write_config

    with private_workdir() as workdir, choose(current()) as progress:
        spec = read_spec(options, workdir)
        if spec.unmatched:
            raise UsageError(
                f"not in the groups control_plane or workers: {', '.join(spec.unmatched)}",
                fix="put them into one of the two, or leave them out with --limit",
            )
        spec.known_hosts_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = write_config(workdir / "ssh_config", spec.known_hosts_file, pin_bastions=True)
        progress.phase("Looking", [host.name for host in spec.hosts])
        return gather_all(spec, config, last_failures(spec.state_dir), progress.step)


def _write(answers: Sequence[Any], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for answer in answers:
        if answer.raw is not None:
            (directory / f"{answer.host}.json").write_text(json.dumps(answer.raw, indent=1) + "\n")


def _list(settings: GlobalOptions) -> int:
    import sys

    from installer.doctor.diagnose import CAUSES

    causes = {
        name: (sys.modules[cause.__module__].__doc__ or "").strip().partition("\n")[0]
        for name, cause in CAUSES.items()
    }
    if settings.json:
        click.echo(json.dumps([{"cause": name, "title": title} for name, title in causes.items()], indent=2))
    else:
        for name, title in causes.items():
            click.echo(f"{name:16} {title}")
    return 0
