"""The pod that checks share when they only look: one container with everything set that they look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from installer.verify.pods import FOREVER, Container, running_pod
from pycri._generated import cri_pb2

if TYPE_CHECKING:
    from installer.verify.session import Session

HOSTNAME = "verify-host"
DNS_SERVER = "192.0.2.53"  # TEST-NET-1: nothing answers there, and nothing asks
DNS_SEARCH = "verify.nodestrap.invalid"
DNS_OPTION = "ndots:3"
ENVIRONMENT = {"NODESTRAP_PLAIN": "plain", "NODESTRAP_ODD": "a b=c\t'\"$HOME ü"}
WORKING_DIR = "/var/www"
MEMORY_LIMIT = 64 * 1024 * 1024
CPU_SHARES = 256
CPU_PERIOD = 100_000
CPU_QUOTA = 50_000
WRITABLE = "/mnt/writable"
READ_ONLY = "/mnt/read-only"
MARKER = "from-the-host"
"""Name and content of a file in both mounted directories."""


@contextmanager
def open_shared(session: Session) -> Iterator[Container]:
    """Run the pod and its container; removed on the way out. Raises CriError, HostError."""
    dns = cri_pb2.DNSConfig(servers=[DNS_SERVER], searches=[DNS_SEARCH], options=[DNS_OPTION])
    with running_pod(session, "shared", hostname=HOSTNAME, dns_config=dns) as pod:
        yield pod.start(
            FOREVER,
            working_dir=WORKING_DIR,
            envs=[cri_pb2.KeyValue(key=key, value=text.encode()) for key, text in ENVIRONMENT.items()],
            mounts=_mounts(session),
            linux=cri_pb2.LinuxContainerConfig(
                resources=cri_pb2.LinuxContainerResources(
                    memory_limit_in_bytes=MEMORY_LIMIT,
                    cpu_shares=CPU_SHARES,
                    cpu_period=CPU_PERIOD,
                    cpu_quota=CPU_QUOTA,
                ),
            ),
        )


def _mounts(session: Session) -> list[cri_pb2.Mount]:
    if session.host.refusal is not None:
        return []  # the checks on mounts say so
    writable, read_only = session.host_directory("writable"), session.host_directory("read-only")
    session.host.run(f"for d in {writable} {read_only}; do printf {MARKER} > $d/{MARKER}; done")
    return [
        cri_pb2.Mount(host_path=writable, container_path=WRITABLE),
        cri_pb2.Mount(host_path=read_only, container_path=READ_ONLY, readonly=True),
    ]
