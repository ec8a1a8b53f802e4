"""The command line: global options, then a verb, whose file is imported only now."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from pycri.ctl.errors import CtlError
from pycri.version import __version__

CRICTL_VERSION: Final = "1.36.0"  # the crictl whose commands and output these are

# each has a module of its name, with _ for -, in verbs/
VERBS: Final[dict[str, str]] = {
    "attach": "join a container's own process",
    "checkpoint": "checkpoint containers into an archive",
    "completion": "print a shell's completion script",
    "config": "read and write /etc/crictl.yaml",
    "create": "create a container in a pod",
    "events": "print what happens to containers",
    "exec": "run a command in a container",
    "imagefsinfo": "show where images are stored",
    "images": "list images",
    "info": "show the runtime's state and configuration",
    "inspect": "show containers in full",
    "inspecti": "show images in full",
    "inspectp": "show pods in full",
    "logs": "print a container's log",
    "metricdescs": "list what metrics there are",
    "metricsp": "list the pods' metrics",
    "pods": "list pods",
    "port-forward": "make ports of a pod reachable here",
    "ps": "list containers",
    "pull": "pull an image",
    "rm": "remove containers",
    "rmi": "remove images",
    "rmp": "remove pods",
    "run": "run a pod with one container",
    "runp": "run a pod",
    "runtime-config": "show the cgroup driver",
    "start": "start containers",
    "stats": "show what containers use",
    "statsp": "show what pods use",
    "stop": "stop containers",
    "stopp": "stop pods",
    "update": "change containers' resources",
    "update-runtime-config": "tell the runtime the pods' address range",
    "version": "show the runtime's version",
}
ALIASES: Final = {"image": "images", "img": "images", "event": "events"}


def main(arguments: Sequence[str], program: str = "pycri ctl") -> int:
    """Run a verb. The exit code: 0 well, 1 failed, 2 wrong usage; exec passes on the command's own."""
    parser = _parser(program)
    options = parser.parse_args(arguments)
    if options.verb is None:
        parser.print_help()
        return 0
    verb = ALIASES.get(options.verb, options.verb)
    if verb == "help":
        parser.print_help()
        return 0
    if verb not in VERBS:
        parser.error(f"{options.verb!r} is no command; {program} --help lists them")
    try:
        return _run(verb, options, program)
    except CtlError as error:
        print(f"{program} {verb}: {error}", file=sys.stderr)
        return error.code
    except BrokenPipeError:
        # Whoever read us has gone; nothing is left to say, not even at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"{program} {verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(verb: str, options: argparse.Namespace, program: str) -> int:
    module = importlib.import_module(f"pycri.ctl.verbs.{verb.replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"{program} {verb}", description=module.__doc__, allow_abbrev=False)
    module.options(parser)
    chosen = parser.parse_args(options.arguments)
    chosen.globals = options
    # gRPC's library talks to stderr, which kubeadm reads together with the answer
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from pycri.ctl.client import Client

    with Client(options) as client:
        code: int | None = module.run(chosen, client)
    sys.stdout.flush()
    return code or 0


def _parser(program: str) -> argparse.ArgumentParser:
    verbs = "\n".join(f"  {name:24}{what}" for name, what in VERBS.items())
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} [OPTION...] COMMAND [ARGUMENT...]",
        description="Look into a container runtime over the CRI, with crictl's commands.",
        epilog=f"commands:\n{verbs}\n\n{program} COMMAND --help says more about one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-c", "--config", metavar="FILE", help="settings (default: /etc/crictl.yaml)")
    parser.add_argument("-r", "--runtime-endpoint", metavar="SOCKET", help="the runtime's socket")
    parser.add_argument("-i", "--image-endpoint", metavar="SOCKET", help="for images, where it is another")
    parser.add_argument(
        "-t", "--timeout", type=seconds, metavar="TIME", help="for an answer, as 10s (default: 10s)"
    )
    parser.add_argument("-D", "--debug", action="store_true", help="say which calls are made")
    parser.add_argument(
        "-v",
        "--version",
        action="version",
        version=f"crictl version {CRICTL_VERSION} (pycri {__version__})",
    )
    parser.add_argument("verb", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def seconds(text: str) -> float:
    """``10s``, ``1m30s``, or a bare number of seconds; at least 0. Raises ValueError."""
    from pycri.config import duration

    try:
        return max(float(text), 0.0)
    except ValueError:
        return duration(text)
