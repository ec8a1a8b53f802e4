"""The ``pycri`` command. On a node there is no click; imports stay inside the commands, for memory's sake."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pycri.version import __version__

if TYPE_CHECKING:
    from pycri.config import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code (0 well, 1 failed, 2 wrong usage or configuration).

    Started under the name ``crictl``, it is ``pycri ctl``.
    """
    if arguments is None:
        if Path(sys.argv[0]).name == "crictl":
            return _ctl(sys.argv[1:], "crictl")
        arguments = sys.argv[1:]
    if arguments[:1] == ["ctl"]:  # argparse would take the options behind it for its own
        return _ctl(arguments[1:], "pycri ctl")
    options = _parser().parse_args(arguments)
    from pycri.config import ConfigError
    from pycri.errors import PycriError

    try:
        result: int = options.run(options)
    except ConfigError as error:
        print(f"pycri: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except (PycriError, OSError) as error:
        print(f"pycri: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pycri", description="A CRI daemon between the kubelet and containerd."
    )
    parser.add_argument("--config", type=Path, help="configuration file (default: /etc/pycri/config.toml)")
    parser.add_argument("--version", action="version", version=f"pycri {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve the CRI (and, unless --control-only, container streams)")
    serve.add_argument("--control-only", action="store_true", help="pycri-io runs as a unit of its own")
    serve.set_defaults(run=_serve)
    data = commands.add_parser("io", help="run pycri-io: container streams, logs, exec")
    data.set_defaults(run=_io)
    config = commands.add_parser("config", help="print or check the configuration")
    what = config.add_subparsers(required=True, metavar="WHAT")
    what.add_parser("default", help="print the defaults, with comments").set_defaults(run=_config_default)
    what.add_parser("check", help="read the configuration and say what is wrong").set_defaults(
        run=_config_check
    )
    commands.add_parser("ctl", help="look into a container runtime, with crictl's commands")
    network = commands.add_parser("pod-network", help="keep this node's part of the pod network `routed`")
    network.add_argument("--remove", action="store_true", help="take away what it made, and end")
    network.set_defaults(run=_pod_network)
    balancer = commands.add_parser("api-balancer", help="lead 127.0.0.1:6444 to a control plane that answers")
    balancer.set_defaults(run=_api_balancer)
    commands.add_parser("version", help="print the version").set_defaults(run=_version)
    return parser


def _ctl(arguments: Sequence[str], program: str) -> int:
    from pycri.ctl.cli import main as ctl

    return ctl(arguments, program)


def _serve(options: argparse.Namespace) -> int:
    import asyncio

    config = _load(options)
    _log_to_stderr(config)
    from pycri.server import app

    if options.control_only:
        _run(app.main(config))
        return 0
    from pycri.server.both import main as both

    return asyncio.run(both(config, options.config))


def _io(options: argparse.Namespace) -> int:
    config = _load(options)
    _log_to_stderr(config)
    from pycri.io.app import main as serve

    _run(serve(config))
    return 0


def _run(daemon: object) -> None:
    import asyncio
    import gc

    # What has been imported lives as long as the process: the collector need not look at it again.
    gc.freeze()
    asyncio.run(daemon)  # type: ignore[arg-type]


def _config_default(_: argparse.Namespace) -> int:
    from pycri.config import default_toml

    sys.stdout.write(default_toml())
    return 0


def _config_check(options: argparse.Namespace) -> int:
    from pycri.images.registry.review import problems

    config = _load(options)
    found = problems(Path(config.images.registry_config))
    for problem in found:
        print(f"pycri: {problem}", file=sys.stderr)  # noqa: T201
    if found:
        return 2
    sys.stdout.write("the configuration is valid\n")
    return 0


def _pod_network(options: argparse.Namespace) -> int:
    from pycri.pod_network import agent
    from pycri.pod_network.system import System

    if options.remove:
        System().remove()
        return 0
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stderr)
    return agent.main()


def _api_balancer(_: argparse.Namespace) -> int:
    from pycri import api_balancer

    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stderr)
    return api_balancer.main()


def _version(_: argparse.Namespace) -> int:
    sys.stdout.write(f"pycri {__version__}\n")
    return 0


def _load(options: argparse.Namespace) -> Config:
    from pycri.config import load

    return load(options.config)


def _log_to_stderr(config: Config) -> None:
    """One line per record; systemd adds the time, a terminal's user gets it too."""
    under_systemd = not sys.stderr.isatty()
    form = "%(levelname)s %(name)s: %(message)s" if under_systemd else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=config.log_level.upper(), format=form, stream=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
