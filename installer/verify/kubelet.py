"""A kubelet that uses the endpoint ends pods that it does not know within seconds: ours too.

(Its housekeeping kills every running pod of the runtime that no source of its own names.) So checks that run
pods say that they cannot apply, unless the kubelet is stopped meanwhile, which its pods do not notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from installer.verify.check import NotApplicable
from installer.verify.host import Host, HostError

# In the same PID namespace only: a lab host's kubelet is visible from the machine that the lab runs on.
_FIND = """
own=$(readlink /proc/self/ns/pid)
for p in /proc/[0-9]*; do
    [ "$(cat "$p/comm" 2>/dev/null)" = kubelet ] && [ "$(readlink "$p/ns/pid")" = "$own" ] &&
        tr '\\000' ' ' < "$p/cmdline" && echo
done
true
"""


def running_kubelet(host: Host) -> str | None:
    """The command line of the host's kubelet; None when none runs, or when we may not look."""
    if host.refusal is not None:
        return None
    lines = host.run(_FIND).text.splitlines()
    return lines[0].strip() if lines else None


def refuse_beside_kubelet(host: Host, socket_path: str) -> None:
    """Raise NotApplicable when a kubelet runs that may be using the endpoint. Raises HostError."""
    found = running_kubelet(host)
    if found is None:
        return
    named = [word for word in found.split() if word.startswith("--container-runtime-endpoint=")]
    if named and not named[-1].endswith(socket_path):
        return  # it drives another runtime
    raise NotApplicable(
        "a kubelet runs on this host and would remove the check's pods as unknown ones; "
        "--pause-kubelet stops it for the time of the checks"
    )


@contextmanager
def paused(host: Host) -> Iterator[None]:
    """Stop kubelet.service, if it is active, and start it again on the way out. Raises HostError."""
    if host.run("systemctl is-active kubelet.service", check=False).code != 0:
        yield
        return
    host.run("systemctl stop kubelet.service", timeout=60)
    try:
        yield
    finally:
        try:
            host.run("systemctl start kubelet.service", timeout=60)
        except HostError as error:
            raise HostError(f"the kubelet could not be started again: {error}") from error
