"""Ask hosts for their evidence, all at once; or this machine for its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from installer.cluster.spec import ClusterSpec, HostSpec
from installer.doctor.evidence import Evidence, Failure, evidence_from_answer
from installer.errors import ConnectError
from installer.preflight.checks.clock import reference_of

_AT_ONCE = 64
# What runs on the host, in an order in which each finds what it imports; the last one is the program.
_PACKAGES: Final = ("installer.preflight", "installer.doctor.host")
_MODULES: Final = (
    "installer.preflight.probe",
    "installer.doctor.host.cri",
    "installer.doctor.host.files",
    "installer.doctor.host.endpoints",
    "installer.doctor.host.room",
    "installer.doctor.host.units",
    "installer.doctor.host.probe",
)
# The host has no such packages: each module is put where an import looks first.
_LOADER = """\
import sys, types
for _name, _source in {modules!r}:
    _module = types.ModuleType(_name)
    sys.modules[_name] = _module
    _package = sys.modules.get(_name.rpartition(".")[0])
    if _package is not None:
        setattr(_package, _name.rpartition(".")[2], _module)
    exec(compile(_source, _name, "exec"), _module.__dict__)
_module.main()
"""


@dataclass(frozen=True)
class Answer:
    """What a host said, or why it did not; ``raw`` is the probe's own document."""

    host: str
    evidence: Evidence | None = None
    error: ConnectError | None = None
    raw: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class _Said:
    document: dict[str, Any]
    sent: float
    received: float

    @property
    def ahead(self) -> float:
        """Seconds that the host's clock is ahead of ours; its probe reads it before anything else."""
        return float(self.document["time"]) - (self.sent + self.received) / 2

    @property
    def error(self) -> float:
        return (self.received - self.sent) / 2


def program() -> bytes:
    """The probe with all it imports, as one piece of source."""
    modules = [(name, "") for name in _PACKAGES] + [(name, _source(name)) for name in _MODULES]
    return _LOADER.format(modules=modules).encode()


def _source(name: str) -> str:
    package, _, module = name.rpartition(".")
    return files(package).joinpath(f"{module}.py").read_text(encoding="utf-8")


def gather_all(
    spec: ClusterSpec, ssh_config: Path, failures: Mapping[str, Failure], step: Callable[[str, str], None]
) -> list[Answer]:
    """One look at each host of the cluster, all at once. A host that does not answer has an ``error``."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="doctor") as pool:
        said = list(pool.map(lambda host: _ask(host, spec, ssh_config, step), spec.hosts))
    clocks = [each.ahead for each in said if isinstance(each, _Said)]
    return [_answer(host, each, clocks, failures) for host, each in zip(spec.hosts, said, strict=True)]


def gather_here() -> Answer:
    """This machine's evidence. ConnectError when the probe fails (it needs root)."""
    sent = time.time()
    command = [sys.executable, "-c", "import sys; exec(sys.stdin.buffer.read(int(sys.argv[1])))"]
    source = program()
    done = subprocess.run(
        [*command, str(len(source))], input=source + b"{}\n", capture_output=True, timeout=120, check=False
    )
    try:
        document = json.loads(done.stdout)
    except ValueError:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ConnectError(
            f"the probe did not answer: {reason}", step="doctor", fix="run it as root"
        ) from None
    name = str(document.get("hostname") or "localhost")
    evidence = evidence_from_answer(document, host=name, is_control_plane=False, now=(sent + time.time()) / 2)
    return Answer(name, evidence, raw=document)


def _ask(
    host: HostSpec, spec: ClusterSpec, ssh_config: Path, step: Callable[[str, str], None]
) -> _Said | ConnectError:
    # Here, not above: paramiko takes 0.2 s to import, which a look at this machine need not wait for.
    from installer.preflight.gather import ask
    from installer.ssh.connection import connect

    step(host.name, "looking")
    try:
        with connect(host.name, host.connection, spec.known_hosts_file, ssh_config) as connection:
            reply = ask(connection, host.connection.python, program(), {})
            reply.channel.close()
            if "time" not in reply.answer:  # no Python there: sh has said what it could
                raise ConnectError(
                    "there is no Python 3 on the host, and the doctor needs one to look around",
                    host=host.name,
                    step="doctor",
                    fix="install python3, or name one in ansible_python_interpreter",
                )
            return _Said(reply.answer, reply.sent, reply.received)
    except ConnectError as error:
        error.host, error.step = host.name, error.step or "doctor"
        return error


def _answer(
    host: HostSpec, said: _Said | ConnectError, clocks: Sequence[float], failures: Mapping[str, Failure]
) -> Answer:
    if isinstance(said, ConnectError):
        return Answer(host.name, error=said)
    reference = reference_of(clocks)
    evidence = evidence_from_answer(
        said.document,
        host=host.name,
        is_control_plane=host.is_control_plane,
        now=(said.sent + said.received) / 2 + reference,
        clock_ahead=said.ahead - reference,
        clock_error=said.error,
        clock_reference="the other hosts" if len(clocks) > 1 else "the controller",
        last_failure=failures.get(host.name),
    )
    return Answer(host.name, evidence, raw=said.document)
