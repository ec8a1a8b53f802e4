"""Lab hosts as systemd-nspawn containers: own systemd, sshd, network namespace and cgroups; our kernel."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from installer.errors import NodestrapError, UsageError
from installer.lab import cgroups, network, processes, ssh, tools
from installer.lab.mounts import mounts_below
from installer.lab.resolver import hosts_file, resolv_conf
from installer.lab.rootfs import Recipe, cached_root
from installer.lab.state import MARKER, Host, Lab

if TYPE_CHECKING:
    from collections.abc import Sequence

    from installer.lab.progress import Progress

_RECIPE = Recipe("bookworm")
# overlayfs cannot be the upper layer of another: containerd and the kubelet get a real file system.
_BOUND = ("/var/lib/containerd", "/var/lib/kubelet")
# Moves itself into each cgroup named before `--`, then becomes what follows.
_ENTER = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'


class NspawnHosts:
    """The `nspawn` backend."""

    boot_seconds = 60.0

    def check(self) -> None:
        """Raise UsageError, with the fix, when this machine cannot run such hosts."""
        if os.geteuid() != 0:
            raise UsageError(
                "nspawn labs need root: they make network namespaces, mounts and cgroups.",
                fix="Run the same command with sudo.",
            )
        tools.require(
            (
                "systemd-nspawn",
                "debootstrap",
                "docker-registry",
                "busybox",
                "ip",
                "iptables",
                "ssh",
                "ssh-keygen",
            )
        )
        tools.require(("unshare", "nsenter"))

    def hosts(self, subnet: str, count: int, present: Sequence[Host]) -> tuple[Host, ...]:
        """`present` and as many new hosts as make `count`; addresses from .11 on."""
        prefix = subnet.rpartition(".")[0]
        new = (Host(f"node{i}", i, f"{prefix}.{10 + i}") for i in range(len(present) + 1, count + 1))
        return (*present, *new)

    def prepare(self, progress: Progress) -> None:
        """Have the cached root file system at hand."""
        cached_root(_RECIPE, progress)

    def connect(self, lab: Lab) -> None:
        """Make the bridge and let it out."""
        network.create(lab)

    def registry_address(self, lab: Lab) -> str:
        """The machine's address on the bridge: nobody outside of the lab gets there."""
        return f"{lab.gateway}:5000"

    def registry_url(self, lab: Lab, address: str) -> str:  # noqa: ARG002 - the same on both sides
        """The same address: hosts are on the bridge."""
        return f"http://{address}"

    def boot(self, lab: Lab, host: Host) -> None:
        """Mount the host's root, attach it to the bridge and start its systemd."""
        home = lab.directory_of(host)
        root = _mount_root(home)
        _identify(lab, host, root)
        namespace = network.attach(lab, host)
        systemd = Path("/run/systemd/system").is_dir()
        groups = cgroups.create(lab.tag, host.name, systemd=systemd)
        nspawn = _command_line(lab, host, root, namespace)
        launcher = ["/bin/sh", "-c", _ENTER, "sh", *map(str, groups), "--", *nspawn]
        if systemd:
            # Unproven: no test machine has systemd as PID 1. It owns cgroup v2, so it has to make ours.
            _as_service(lab, host, launcher)
            return
        environment = {"PATH": os.environ["PATH"], **_environment(lab)}
        processes.spawn(launcher, log=home / "console.log", env=environment)

    def running(self, lab: Lab, host: Host) -> bool:
        """Whether the host's nspawn runs."""
        return bool(_supervisors(lab, host))

    def halt(self, lab: Lab, host: Host) -> None:
        """End the host with all it runs, at once. Its root stays mounted, its network attached."""
        for identity in _supervisors(lab, host):
            processes.stop(identity, signals=((9, 10.0),))
        if Path("/run/systemd/system").is_dir() and shutil.which("systemctl"):
            # As a pattern: then a unit that is gone already is no error.
            tools.run("systemctl", "stop", _machine(lab, host) + ".servic[e]")
        cgroups.remove(lab.tag, host.name)

    def console(self, lab: Lab, host: Host) -> str:
        """What the host has printed since it booted."""
        log = lab.directory_of(host) / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""


def _mount_root(home: Path) -> Path:
    """The host's own writable view of the cached root; mounted once, kept over halts."""
    root, upper, work = home / "root", home / "upper", home / "work"
    for directory in (root, upper, work, *(home / _short(path) for path in _BOUND)):
        directory.mkdir(parents=True, exist_ok=True)
    if mounts_below(root):
        return root
    from installer.lab.progress import Progress

    chosen = home / "lower"
    if (
        not chosen.is_symlink()
    ):  # a cache that has moved on must not pull the rug from under an old upper layer
        chosen.symlink_to(cached_root(_RECIPE, Progress(quiet=True)))
    lower = chosen.resolve()
    if not lower.is_dir():
        raise NodestrapError(
            f"The root file system that {home.name} was made from is gone: {lower}",
            fix="nodestrap lab down, then up again.",
        )
    options = f"lowerdir={_escape(lower)},upperdir={_escape(upper)},workdir={_escape(work)}"
    try:
        tools.run("mount", "-t", "overlay", "nodestrap-lab", "-o", options, str(root))
    except NodestrapError:
        # The state directory is itself on an overlay (a container): a plain copy, slower and larger.
        if not (root / "usr").exists():
            tools.run("cp", "--archive", "--reflink=auto", f"{lower}/.", str(root), timeout=600)
    return root


def _identify(lab: Lab, host: Host, root: Path) -> None:
    """Give the host its name, keys and resolver. What the host itself changed since stays."""
    etc = root / "etc"
    for mount in _BOUND:
        (root / mount.lstrip("/")).mkdir(parents=True, exist_ok=True)
    if not (etc / "hostname").exists():
        (etc / "hostname").write_text(host.name + "\n")
        (etc / "machine-id").write_text(secrets.token_hex(16) + "\n")
    (etc / "hosts").write_text(hosts_file(lab.hosts))
    (etc / "resolv.conf").write_text(resolv_conf())
    key = ssh.host_key(lab, host)
    for source, mode in ((key, 0o600), (key.with_suffix(".pub"), 0o644)):
        target = etc / "ssh" / source.name
        target.write_bytes(source.read_bytes())
        target.chmod(mode)
    authorized = root / "root/.ssh/authorized_keys"
    authorized.parent.mkdir(mode=0o700, exist_ok=True)
    authorized.write_bytes(lab.private_key.with_suffix(".pub").read_bytes())


def _command_line(lab: Lab, host: Host, root: Path, namespace: Path) -> list[str]:
    home = lab.directory_of(host)
    binds = [f"--bind={_colons(home / _short(path))}:{path}" for path in _BOUND]
    if Path("/dev/kmsg").exists():
        binds.append("--bind=/dev/kmsg")  # the kubelet will not start without
    if Path("/lib/modules").is_dir():
        binds.append("--bind-ro=/lib/modules")
    return [
        tools.path_of("systemd-nspawn"),
        *("--quiet", "--keep-unit", "--register=no", "--boot", "--console=read-only"),
        f"--directory={root}",
        f"--machine={_machine(lab, host)}",
        f"--hostname={host.name}",
        f"--network-namespace-path={namespace}",
        *("--capability=all", "--system-call-filter=add_key keyctl bpf"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        *binds,
    ]


def _as_service(lab: Lab, host: Host, launcher: list[str]) -> None:
    settings = [f"--setenv={name}={value}" for name, value in _environment(lab).items()]
    log = lab.directory_of(host) / "console.log"
    tools.run(
        *("systemd-run", "--quiet", "--collect", f"--unit={_machine(lab, host)}", "--slice=machine.slice"),
        *("--property=Delegate=yes", "--property=KillMode=mixed", f"--property=StandardOutput=append:{log}"),
        *settings,
        *("--", *launcher),
    )


def _environment(lab: Lab) -> dict[str, str]:
    # nspawn's lock files would stay behind in /run; a lab has a lock of its own.
    return {MARKER: str(lab.directory), "SYSTEMD_NSPAWN_LOCK": "0"}


def _supervisors(lab: Lab, host: Host) -> list[processes.ProcessId]:
    machine = f"--machine={_machine(lab, host)}"
    return [identity for identity, argv in processes.find(MARKER, str(lab.directory)) if machine in argv]


def _machine(lab: Lab, host: Host) -> str:
    return f"nslab-{lab.tag}-{host.name}"


def _short(path: str) -> str:
    return Path(path).name


def _escape(path: Path) -> str:
    """`path` inside overlayfs's option string, where colons and commas separate."""
    return "".join(f"\\{letter}" if letter in "\\:," else letter for letter in str(path))


def _colons(path: Path) -> str:
    return str(path).replace(":", "\\:")
