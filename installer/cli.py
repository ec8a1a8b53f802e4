"""The ``nodestrap`` command: global options, verbs loaded when used, errors turned into exit codes.

A verb is a module ``installer/commands/<verb>.py`` whose Click command is called ``command``. Its one-line
help stands here, so that ``nodestrap --help`` imports neither Ansible nor paramiko.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback

if sys.version_info < (3, 11):  # before any import that would fail less clearly
    sys.exit(
        f"nodestrap needs Python 3.11 or newer on the controller; this is {sys.version.split()[0]} "
        f"({sys.executable}).\n  fix: run it with a newer Python, e.g. `python3.11 -m pip install nodestrap`."
    )

import click

from installer.errors import EXIT_INTERRUPTED, EXIT_UNEXPECTED, EXIT_USAGE, NodestrapError
from installer.options import current, global_options
from pycri.version import __version__

VERBS = {
    "up": "Turn the inventory's hosts into verified nodes.",
    "plan": "Say what up would change, and change nothing.",
    "join": "Make nodes of hosts in a cluster that is there.",
    "remove": "Take nodes out of their cluster, and reset their hosts.",
    "status": "Show how far each host is, and how it is.",
    "kubeconfig": "Fetch the cluster's admin.conf, into a file or merged into yours.",
    "reset": "Take everything that nodestrap put on hosts away again.",
    "preflight": "Check every host without changing anything.",
    "verify": "Prove a CRI endpoint by using it.",
    "bundle": "Make and check bundles for hosts without a network.",
    "doctor": "Say what sick hosts are sick of.",
    "bench": "Time two CRI endpoints against each other.",
    "lab": "Boot and remove throw-away hosts on this machine.",
    "completion": "Print the shell completion script.",
}


class VerbGroup(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - Click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"installer.commands.{cmd_name}").command
        _accept_global_options(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from installer.suggest import did_you_mean

            raise click.UsageError(f"No such command {args[0]!r}.{did_you_mean(args[0], VERBS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=VerbGroup,
    params=list(global_options()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="nodestrap")
def root() -> None:
    """Turn bare Linux hosts into verified Kubernetes nodes, over SSH."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script: run, print any error for people or machines, exit with its code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; expected errors are printed, not raised."""
    as_json = "--json" in arguments
    try:
        with root.make_context("nodestrap", list(arguments)) as context:
            result = root.invoke(context)
            as_json = current().json
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort:
        return _fail(NodestrapError("interrupted"), as_json, EXIT_INTERRUPTED)
    except click.ClickException as error:
        if as_json:
            return _fail(NodestrapError(error.format_message()), as_json, EXIT_USAGE)
        error.show()
        return EXIT_USAGE
    except NodestrapError as error:
        return _fail(error, as_json, error.exit_code)
    except KeyboardInterrupt:
        return _fail(NodestrapError("interrupted"), as_json, EXIT_INTERRUPTED)
    except BrokenPipeError:  # `nodestrap ... | head`: nobody is left to read an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNEXPECTED
    except Exception as error:  # noqa: BLE001 - the outermost frame: a bug ends as code 1
        traceback.print_exc()
        bug = NodestrapError(
            f"unexpected {type(error).__name__}: {error}", fix="this is a bug: report it with the log"
        )
        return _fail(bug, as_json, EXIT_UNEXPECTED)
    return result if isinstance(result, int) else 0


def _fail(error: NodestrapError, as_json: bool, exit_code: int) -> int:
    if as_json:
        click.echo(json.dumps(error.as_dict() | {"exit_code": exit_code}))
    click.secho("Error: ", fg="red", bold=True, nl=False, err=True, color=_color())
    click.echo(error.render(), err=True)
    return exit_code


def _color() -> bool | None:
    return False if "NO_COLOR" in os.environ or "--no-color" in sys.argv else None


def _accept_global_options(command: click.Command) -> None:
    """Let ``nodestrap VERB --json`` mean ``nodestrap --json VERB``, unless VERB has such an option itself."""
    if isinstance(command, click.Group):
        for member in command.commands.values():
            _accept_global_options(member)
        return
    if command.context_settings.get("ignore_unknown_options"):
        return  # it hands its arguments on: `lab ssh HOST ls -v` is ls's -v
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params += [option for option in global_options() if taken.isdisjoint(option.opts)]


if __name__ == "__main__":
    main()
