"""API servers whose view of etcd stands still, as joining control planes leave them behind.

etcd has no leader from the moment its second member is announced until that runs. Watches of etcd end then,
and Kubernetes 1.20 resumes some of them in name only: for about five minutes that API server tells nobody of
new objects of that kind, such as Services, while what it is asked directly is current
(https://github.com/kubernetes/kubernetes/issues/97294). It logs the moment; started anew, it is well. kubeadm
from 1.29 on brings etcd's members in as learners, the leader stays, and nothing is restarted.
"""

from __future__ import annotations

import time
from typing import Final

from installer.control_plane.kubectl import Kubectl
from installer.errors import ClusterError

_AWAIT_SECONDS: Final = 90.0
_PAUSE: Final = 0.5
# The kubelet starts the container again; its log begins anew, so a second run finds nothing to do.
_STOP: Final = """
id=$(crictl ps --quiet --name '^kube-apiserver$' | head -n 1)
[ -n "$id" ] && crictl logs "$id" 2>&1 | grep -q 'etcdserver: no leader' || exit 0
crictl stop --timeout 30 "$id" >/dev/null && echo "stopped $id"
"""


def restart_if_stale(kubectl: Kubectl, server: str) -> bool:
    """Whether the API server on kubectl's host had to be restarted; it answers at ``server`` again by then.

    ``server`` is its own URL, for the cluster's endpoint may lead to another. Raises ClusterError: it cannot
    be stopped, or does not come back.
    """
    answer = kubectl.command(["sh", "-c", _STOP], timeout=60)
    if answer.status != 0:
        raise _error(kubectl, f"cannot be restarted: {answer.stderr.decode(errors='replace').strip()}")
    stopped = answer.stdout.decode().split()
    if not stopped:
        return False
    deadline = time.monotonic() + _AWAIT_SECONDS
    while True:
        try:
            kubectl("get", "--raw=/readyz", f"--server={server}", timeout=5)
        except ClusterError as error:  # noqa: PERF203 - it is being started
            if time.monotonic() > deadline:
                raise _error(kubectl, f"does not come back after a restart: {error.reason}") from error
            time.sleep(_PAUSE)
        else:
            return True


def _error(kubectl: Kubectl, reason: str) -> ClusterError:
    return ClusterError(
        f"the API server, whose watches of etcd have stood still since control planes joined, {reason}",
        host=kubectl.host,
        step="join",
        fix="`crictl ps -a` and `crictl logs` on the host show why; then run the command again",
    )
