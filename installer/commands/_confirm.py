"""Ask before something is destroyed."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from installer.cluster.spec import ClusterSpec
from installer.errors import UsageError


def confirmation(question: str, *, yes: bool) -> Callable[[ClusterSpec], None]:
    """A ``confirm`` for run_on_inventory that names the hosts and asks, unless ``yes``.

    Raises UsageError where there is no terminal to ask at, click.Abort for an answer other than yes.
    """

    def confirm(spec: ClusterSpec) -> None:
        if yes:
            return
        if not sys.stdin.isatty():
            raise UsageError(
                "this needs a confirmation, and there is no terminal to ask at", fix="pass --yes"
            )
        click.echo(f"{question}:\n  {', '.join(host.name for host in spec.hosts)}", err=True)
        click.confirm("Go on?", abort=True, err=True)

    return confirm
