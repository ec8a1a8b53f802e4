"""The options of every verb that works on an inventory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from installer.cluster.spec import ClusterSpec


@dataclass(frozen=True)
class ClusterOptions:
    inventory: tuple[str, ...]
    limit: str | None
    vault_password_file: tuple[str, ...]
    ask_vault_pass: bool
    ask_pass: bool
    ask_become_pass: bool


def cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the function gets them as keyword arguments named like ClusterOptions' fields."""
    decorators = (
        click.option(
            "-i",
            "--inventory",
            multiple=True,
            required=True,
            envvar="NODESTRAP_INVENTORY",
            metavar="PATH",
            help="Ansible inventory: a file, a directory or a script. May be given several times.",
        ),
        click.option("-l", "--limit", metavar="PATTERN", help="Only hosts that match this Ansible pattern."),
        click.option("--vault-password-file", multiple=True, metavar="PATH", help="As Ansible's own option."),
        click.option("--ask-vault-pass", is_flag=True, help="Ask for the vault's password."),
        click.option("-k", "--ask-pass", is_flag=True, help="Ask for the SSH password."),
        click.option("-K", "--ask-become-pass", is_flag=True, help="Ask for sudo's password."),
    )
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def read_spec(options: ClusterOptions, workdir: Path) -> ClusterSpec:
    """Ask for the passwords that are wanted, then read the inventory."""
    from installer.cluster.inventory import read_cluster

    passwords = {}
    if options.ask_pass:
        passwords["ansible_password"] = click.prompt("SSH password", hide_input=True, err=True)
    if options.ask_become_pass:
        passwords["ansible_become_password"] = click.prompt("sudo password", hide_input=True, err=True)
    vault = list(options.vault_password_file)
    if options.ask_vault_pass:
        path = workdir / "vault-password"
        path.touch(mode=0o600)
        path.write_text(click.prompt("Vault password", hide_input=True, err=True))
        vault.append(str(path))
    return read_cluster(
        options.inventory, limit=options.limit, vault_password_files=vault, passwords=passwords
    )


@contextmanager
def private_workdir() -> Iterator[Path]:
    """A directory of this run alone (0700), in memory where there is /dev/shm: passwords never reach a disk.

    What a killed run left of its own is removed on the way.
    """
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
    for old in base.glob("nodestrap-run-*"):
        pid = old.name.split("-")[2]
        if old.stat().st_uid == os.getuid() and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            from installer.ssh.masters import end_masters

            end_masters(old / "ansible" / "cm")
            shutil.rmtree(old, ignore_errors=True)
    directory = tempfile.mkdtemp(prefix=f"nodestrap-run-{os.getpid()}-", dir=base)
    try:
        yield Path(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
