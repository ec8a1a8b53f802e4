"""``nodestrap lab up|down|list|ssh|exec|stop``: throw-away hosts on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import click

from installer.lab import paths, state
from installer.lab.progress import Progress
from installer.options import current

_NAME = click.option(
    "--name", default=paths.DEFAULT_NAME, show_default=True, help="Which lab; several may stand side by side."
)


# Everything after HOST is the command's own, options that look like ours included.
_PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.group("lab")
def command() -> None:
    """Boot and remove throw-away hosts on this machine, with a registry and an inventory for them."""


@command.command("up")
@_NAME
@click.option("--nodes", type=click.IntRange(1, 200), help="How many hosts; 1, or as many as there are.")
@click.option(
    "--backend",
    "kind",
    type=click.Choice(["nspawn", "vm"]),
    help="nspawn: containers with systemd, in seconds (default). vm: a kernel of their own, cgroup v2.",
)
@click.option(
    "--inventory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to write the Ansible inventory; inventories/lab, or inventories/lab-NAME.",
)
def up_(name: str, nodes: int | None, kind: str | None, inventory: Path | None) -> None:
    """Bring a lab up. One that is up is left as it is; a lost or missing host is added."""
    from installer.lab.up import up

    options = current()
    progress = Progress(quiet=options.verbosity < 0 or options.json)
    lab = up(name, nodes, kind, inventory, progress)
    if options.json:
        _print_labs([name], packages=False)
        return
    hosts = f"{len(lab.hosts)} host" + ("s" if len(lab.hosts) > 1 else "")
    progress.say(f"lab {name} is up: {hosts}, inventory {_short(lab.inventory)}")


@command.command("down")
@_NAME
@click.option("--all", "all_", is_flag=True, help="Every lab of this user.")
def down_(name: str, all_: bool) -> None:
    """Remove a lab and all it has on this machine, also what a crash left behind."""
    from installer.lab.down import down

    options = current()
    progress = Progress(quiet=options.verbosity < 0 or options.json)
    removed = [lab for lab in (state.names() if all_ else [name]) if down(lab, progress)]
    if options.json:
        click.echo(json.dumps({"removed": removed}))
    elif not removed:
        progress.say("there is no lab" if all_ else f"there is no lab {name}")


@command.command("list")
def list_() -> None:
    """Show the labs and their hosts; -v adds each host's installed packages."""
    _print_labs(None, packages=current().verbosity > 0)


@command.command("ssh", context_settings=_PASS_ON)
@_NAME
@click.argument("host")
@click.argument("words", metavar="[COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def ssh_(name: str, host: str, words: tuple[str, ...]) -> None:
    """Log in on HOST (a terminal), or run COMMAND there as ssh does."""
    from installer.lab import ssh

    lab = state.require(name)
    argv = ssh.command(lab, lab.host(host), _without_dashes(words))
    os.execv(argv[0], argv)


@command.command("exec", context_settings=_PASS_ON)
@_NAME
@click.argument("host")
@click.argument("words", metavar="COMMAND...", nargs=-1, type=click.UNPROCESSED, required=True)
@click.pass_context
def exec_(context: click.Context, name: str, host: str, words: tuple[str, ...]) -> None:
    """Run COMMAND on HOST (or on `all`, one after the other), its words quoted; exits as COMMAND did."""
    import shlex

    from installer.lab import ssh

    lab = state.require(name)
    code = 0
    for chosen in lab.hosts if host == "all" else [lab.host(host)]:
        argv = ssh.command(lab, chosen, [shlex.join(_without_dashes(words))], batch=True)
        code = subprocess.run(argv, check=False).returncode or code
    context.exit(code)


@command.command("stop")
@_NAME
@click.argument("hosts", metavar="HOST...", nargs=-1, required=True)
def stop_(name: str, hosts: tuple[str, ...]) -> None:
    """Cut the power of HOST; its disk stays, and `lab up` boots it again."""
    from installer.lab.backend import backend
    from installer.lab.down import lock_path
    from installer.lab.lock import exclusive

    lab = state.require(name)
    chosen = [lab.host(host) for host in hosts]
    with exclusive(lock_path(name), f"lab {name!r}"):
        for host in chosen:
            backend(lab.backend).halt(lab, host)


def _print_labs(names: list[str] | None, *, packages: bool) -> None:
    from installer.lab.listing import list_labs

    labs = [lab for lab in list_labs(packages=packages) if names is None or lab.name in names]
    if current().json:
        click.echo(json.dumps([lab.as_dict() for lab in labs], indent=2))
        return
    if not labs:
        click.echo("There is no lab. Make one with: nodestrap lab up")
    for lab in labs:
        if lab.broken:
            click.echo(f"{lab.name}  broken: {lab.broken}; nodestrap lab down --name {lab.name}")
            continue
        registry = lab.registry or "stopped"
        click.echo(
            f"{lab.name}  {lab.backend}  {lab.subnet}  registry {registry}  {_short(Path(lab.inventory))}"
        )
        for host in lab.hosts:
            status = "running" if host.running else "stopped"
            click.echo(f"  {host.name:<10} {host.address}:{host.port:<6} {status}")
            for package in host.packages or ():
                click.echo(f"    {package}")


def _without_dashes(words: tuple[str, ...]) -> tuple[str, ...]:
    """`words` without the `--` that people put before a command."""
    return words[1:] if words[:1] == ("--",) else words


def _short(path: Path) -> str:
    """`path` from here, where that is shorter to read."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
