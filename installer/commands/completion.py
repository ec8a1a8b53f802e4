"""``nodestrap completion bash|zsh|fish``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script; put it where your SHELL looks, e.g. ~/.bashrc."""
    completion = get_completion_class(shell)
    assert completion is not None  # click.Choice admits only shells that Click knows
    root = context.find_root().command
    click.echo(completion(root, {}, "nodestrap", "_NODESTRAP_COMPLETE").source())
