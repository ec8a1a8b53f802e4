"""What a pod's containers share from disk: hostname, hosts, resolv.conf and /dev/shm."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

from pycri import errors, mounting, syscalls
from pycri._generated import cri_pb2 as cri
from pycri.config import Config
from pycri.container.spec.id_mappings import IdMappings
from pycri.container.spec.mounts import SandboxFiles
from pycri.sandbox import user_namespace

_MAX_HOSTNAME = 64  # the kernel's, of sethostname(2)
_SHM_BYTES = 64 << 20
_DEFAULT_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"


def paths(config: Config, sandbox_id: str, pod: cri.PodSandboxConfig) -> SandboxFiles:
    """Where the files of a sandbox are."""
    directory = f"{config.root}/sandboxes/{sandbox_id}"
    own_shm = pod.linux.security_context.namespace_options.ipc != cri.NODE
    return SandboxFiles(
        hostname=f"{directory}/hostname",
        hosts=f"{directory}/hosts",
        resolv_conf=f"{directory}/resolv.conf",
        shm=_shm(config, sandbox_id) if own_shm else "/dev/shm",
    )


def hostname(pod: cri.PodSandboxConfig) -> str:
    """The pod's host name. The CRI lets it be empty for the host's network only: then it is the host's."""
    return pod.hostname or socket.gethostname()


def validate(pod: cri.PodSandboxConfig) -> None:
    """Refuse what could not be written as one line. Raises InvalidArgument."""
    if len(pod.hostname) > _MAX_HOSTNAME or re.search(r"[\s\x00-\x1f/]", pod.hostname):
        raise errors.InvalidArgument(f"hostname {pod.hostname!r} cannot be a host name")
    dns = pod.dns_config
    for word in (*dns.servers, *dns.searches, *dns.options):
        if not word or re.search(r"[\s\x00-\x1f]", word):
            raise errors.InvalidArgument(f"{word!r} cannot be a word of resolv.conf")


def create(
    config: Config, sandbox_id: str, pod: cri.PodSandboxConfig, mappings: IdMappings | None = None
) -> None:
    """Write the files and mount shm; the root of the pod's user namespace owns them. Raises OSError."""
    files = paths(config, sandbox_id, pod)
    directory = Path(files.hosts).parent
    directory.mkdir(mode=0o700, parents=True)
    if pod.log_directory.startswith("/"):
        Path(pod.log_directory).mkdir(mode=0o755, parents=True, exist_ok=True)
    Path(files.hostname).write_text(hostname(pod) + "\n")
    Path(files.hosts).write_text(_read("/etc/hosts") or _DEFAULT_HOSTS)
    Path(files.resolv_conf).write_text(_resolv_conf(pod.dns_config) or _read("/etc/resolv.conf"))
    uid, gid = (0, 0) if mappings is None else mappings.root
    if mappings is not None:
        for path in (files.hostname, files.hosts, files.resolv_conf):
            os.chown(path, uid, gid)
    if files.shm == _shm(config, sandbox_id):
        Path(files.shm).mkdir(mode=0o700, parents=True)
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        data = f"mode=1777,size={_SHM_BYTES},uid={uid},gid={gid}"
        syscalls.mount("shm", files.shm, "tmpfs", flags, data)


def remove_mounts(config: Config, sandbox_id: str) -> None:
    """Unmount and remove the pod's shm, and its user namespace if it has one; nothing there is fine."""
    shm = Path(_shm(config, sandbox_id))
    for mounted in (str(shm), user_namespace.path(config.run, sandbox_id)):
        mounting.unmount(mounted)
    shutil.rmtree(shm.parent, ignore_errors=True)


def remove(config: Config, sandbox_id: str) -> None:
    """Remove everything that ``create`` made."""
    remove_mounts(config, sandbox_id)
    shutil.rmtree(f"{config.root}/sandboxes/{sandbox_id}", ignore_errors=True)


def _shm(config: Config, sandbox_id: str) -> str:
    return f"{config.run}/sandboxes/{sandbox_id}/shm"


def _resolv_conf(dns: cri.DNSConfig) -> str:
    """Empty when the CRI says nothing: the pod then has the host's."""
    lines = []
    if dns.searches:
        lines.append("search " + " ".join(dns.searches))
    lines += [f"nameserver {server}" for server in dns.servers]
    if dns.options:
        lines.append("options " + " ".join(dns.options))
    return "".join(f"{line}\n" for line in lines)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
