"""Settings and certificates of a node, and the versions of its programs."""

import glob
import os
import re
import shutil
import subprocess
from base64 import b64decode
from typing import Any, Dict, List, Optional  # noqa: UP035 - Python 3.6

# ruff: noqa: UP006, UP045, PTH110, PTH113, PTH119, PTH123, PTH207 - Python 3.6; os starts faster than pathlib

# Files without secrets, sent whole.
SETTINGS = (
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/instance-config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
    "/etc/pycri/config.toml",
    "/etc/crictl.yaml",
)
# Of these it matters that they are there, and which certificates they hold.
PRESENT = (
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/controller-manager.conf",
    "/etc/kubernetes/scheduler.conf",
    "/var/lib/kubelet/pki/kubelet-client-current.pem",
)
CERTIFICATES = ("/etc/kubernetes/pki/*.crt", "/etc/kubernetes/pki/etcd/*.crt")
MANIFESTS = "/etc/kubernetes/manifests/*.yaml"
PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
EMBEDDED = re.compile(r"client-certificate-data: *([A-Za-z0-9+/=]+)")
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def gather() -> Dict[str, Any]:
    paths = list(PRESENT) + [path for pattern in CERTIFICATES for path in glob.glob(pattern)]
    return {
        "settings": {path: read(path) for path in SETTINGS if os.path.isfile(path)},
        "manifests": sorted(os.path.basename(path)[: -len(".yaml")] for path in glob.glob(MANIFESTS)),
        "present": [path for path in PRESENT if os.path.exists(path)],
        "certificates": {path: found for path in sorted(paths) for found in [certificates(path)] if found},
        "kubelet_version": version("kubelet"),
        "runc_version": version("runc"),
    }


def certificates(path: str) -> List[str]:
    """PEM of the certificates in a file; of a kubeconfig, of its client's."""
    if not os.path.isfile(path):
        return []
    text = read(path)
    for data in EMBEDDED.findall(text):
        text += b64decode(data).decode(errors="replace")
    return PEM.findall(text)


def version(program: str) -> Optional[str]:
    """The first line that it prints about its version; None when it is not there, or does not run."""
    path = shutil.which(program, path=SEARCH_PATH)
    if path is None:
        return None
    done = subprocess.run([path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode(errors="replace").strip().partition("\n")[0] or None


def read(path: str) -> str:
    with open(path, errors="replace") as stream:
        return stream.read(1 << 20)
