"""``nodestrap verify``: prove a CRI endpoint by using it, on this machine or on an inventory's hosts."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from installer.commands._cluster_options import ClusterOptions, cluster_options, private_workdir, read_spec
from installer.errors import EXIT_OK, EXIT_UNEXPECTED, Interrupted, UsageError
from installer.options import GlobalOptions, current
from installer.verify import fleet
from installer.verify.catalogue import select
from installer.verify.check import Check
from installer.verify.endpoint import DEFAULT_ENDPOINT, normalise
from installer.verify.options import DEFAULT_IMAGE, Options
from installer.verify.report import junit, table
from installer.verify.result import EndpointReport, Result, exit_code


class Tier(click.ParamType):  # type: ignore[type-arg]  # generic in newer Clicks only
    """``T1``, ``t1`` or ``1``."""

    name = "tier"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).upper().removeprefix("T")
        if text not in ("0", "1", "2", "3"):
            self.fail(f"{value!r} is none of T0, T1, T2, T3.", param, ctx)
        return int(text)


@click.command()
@cluster_options
@click.option(
    "--endpoint", default=DEFAULT_ENDPOINT, show_default=True, help="The CRI socket, here or on each host."
)
@click.option("--tier", "tiers", type=Tier(), multiple=True, help="Tiers to run.  [default: T0, T1]")
@click.option(
    "--check", "patterns", multiple=True, metavar="ID", help="Only these checks; globs such as 'image.*'."
)
@click.option("--image", default=DEFAULT_IMAGE, show_default=True, help="The image that pods run.")
@click.option("--runtime-handler", default="", help="The runtime handler of the pods.")
@click.option("--pause-kubelet", is_flag=True, help="Stop the kubelet meanwhile: it removes unknown pods.")
@click.option("--disruptive", is_flag=True, help="Also restart the daemon (a node without workloads).")
@click.option(
    "--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML."
)
@click.option("--list", "list_only", is_flag=True, help="Print the checks and run none.")
@click.option("--cleanup", is_flag=True, help="Only remove what earlier, killed runs left.")
def command(
    endpoint: str,
    tiers: tuple[int, ...],
    patterns: tuple[str, ...],
    image: str,
    runtime_handler: str,
    pause_kubelet: bool,
    disruptive: bool,
    junit_file: Path | None,
    list_only: bool,
    cleanup: bool,
    **cluster: Any,
) -> int:
    """Prove a CRI endpoint by using it: this machine's, or that of each host of an inventory.

    T0 looks at the daemon and the node, T1 runs pods and removes them, T3 proves the cluster from the first
    control plane. Exit code 7 says that T0 failed,
    8 T1, 9 T2, 10 T3; 3 that a host could not be reached.
    """
    settings = current()
    console = Console(no_color=not settings.color, highlight=False)
    if list_only:
        _print_list(select(tiers or (0, 1, 2, 3), patterns, disruptive=True), settings, console)
        return EXIT_OK
    tiers = tiers or (0, 1)
    options = Options(
        image=image, disruptive=disruptive, pause_kubelet=pause_kubelet, runtime_handler=runtime_handler
    )
    if not select(tiers, patterns, disruptive=disruptive):  # a mistyped check must not wait for a connection
        raise UsageError(f"there are no checks in {', '.join(f'T{tier}' for tier in tiers)}")
    with _targets(ClusterOptions(**cluster), normalise(endpoint), tiers) as targets, _sigterm_as_interrupt():
        if cleanup:
            return _clean_up(targets, settings, console)
        reports = _run(targets, tiers, patterns, options, settings, console)
    if junit_file is not None:
        junit_file.write_bytes(junit.junit_xml(reports))
    return _print(reports, settings, console)


for _parameter in command.params:
    if _parameter.name == "inventory":
        _parameter.required = False  # other verbs always need one; without it, this machine is verified


@contextmanager
def _targets(options: ClusterOptions, endpoint: str, tiers: Sequence[int]) -> Iterator[list[fleet.Target]]:
    if not options.inventory:
        if options.limit is not None:
            raise UsageError("--limit chooses among an inventory's hosts", fix="name the inventory with -i")
        yield [fleet.local_target(endpoint)]
        return
    from installer.ssh.openssh import write_config

    with private_workdir() as workdir:
        spec = read_spec(options, workdir)
        if spec.unmatched:
            raise UsageError(
                f"not in the groups control_plane or workers: {', '.join(spec.unmatched)}",
                fix="put them into one of the two, or leave them out with --limit",
            )
        spec.known_hosts_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = write_config(workdir / "ssh_config", spec.known_hosts_file, pin_bastions=True)
        yield fleet.inventory_targets(spec, endpoint, config, tiers)


def _run(
    targets: Sequence[fleet.Target],
    tiers: Sequence[int],
    patterns: Sequence[str],
    options: Options,
    settings: GlobalOptions,
    console: Console,
) -> list[EndpointReport]:
    live = console.is_terminal and settings.color and not settings.json and settings.verbosity >= 0
    lines = not console.is_terminal and not settings.json and settings.verbosity >= 0
    total = sum(
        len(select(tiers if t.tiers is None else t.tiers, patterns, disruptive=options.disruptive))
        for t in targets
    )
    done = 0
    lock = threading.Lock()
    status = Console(stderr=True).status("connecting") if live else None

    def on_result(host: str, result: Result) -> None:
        nonlocal done
        with lock:
            done += 1
            if status is not None:
                status.update(f"{done}/{total}  {host}: {result.id}")
            elif lines and result.behind is None:
                console.print(table.result_line(host, result), markup=False, soft_wrap=True)

    if status is not None:
        status.start()
    try:
        return fleet.verify_all(targets, tiers, options=options, patterns=patterns, on_result=on_result)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; what the checks had made is removed again") from None
    finally:
        if status is not None:
            status.stop()


def _print(reports: list[EndpointReport], settings: GlobalOptions, console: Console) -> int:
    code = exit_code(reports)
    if settings.json:
        document = {"exit_code": code, "endpoints": [report.as_dict() for report in reports]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return code
    for report in reports:
        table.print_report(report, console, quiet=settings.verbosity < 0)
    return code


def _print_list(checks: Sequence[Check], settings: GlobalOptions, console: Console) -> None:
    if settings.json:
        fields = ("id", "tier", "title", "proves", "fix", "disruptive")
        click.echo(json.dumps([{name: getattr(each, name) for name in fields} for each in checks], indent=2))
    else:
        table.print_checks(checks, console)


def _clean_up(targets: Sequence[fleet.Target], settings: GlobalOptions, console: Console) -> int:
    outcomes = fleet.clean_all(targets)
    if settings.json:
        click.echo(json.dumps([outcome.as_dict() for outcome in outcomes], indent=2))
    else:
        for outcome in outcomes:
            console.print(outcome.line(), markup=False, soft_wrap=True)
    return EXIT_UNEXPECTED if any(outcome.errors for outcome in outcomes) else EXIT_OK


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """A terminated run cleans up like an interrupted one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
