"""The images that kubeadm 1.20.2 asks for, made from our own build and Debian's packages.

They carry the upstream names and do the same work, but are not the upstream bytes: the control plane's
programs are alone in theirs; etcd has the C library beside it; kube-proxy has Debian's iptables (the nft
variant, as the lab hosts) and conntrack. The pause image is pycri's. There is no CoreDNS: nothing on the test
machines could build it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from installer.lab.oci_images import Entry, Image
from pycri.images import pause_program
from tests.support import debian
from tests.support.image_archive import plain_layer
from tests.support.kubernetes_build import VERSION

REGISTRY = "k8s.gcr.io"  # kubeadm 1.20's own default
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
PAUSE = f"{REGISTRY}/pause:3.2"
ETCD = f"{REGISTRY}/etcd:3.4.13-0"

_SUITE = "bookworm"
_C_LIBRARY = ("libc6",)
_FIREWALL = (
    *_C_LIBRARY,
    "iptables",
    "conntrack",
    "libxtables12",
    "libnftnl11",
    "libmnl0",
    "libnfnetlink0",
    "libip4tc2",
    "libip6tc2",
    "libnetfilter-conntrack3",
)
_FIREWALL_COMMANDS = tuple(
    f"{family}{verb}" for family in ("iptables", "ip6tables") for verb in ("", "-save", "-restore")
)
# A merged /usr, as in Debian, so that packages unpack to where their programs look.
_SKELETON = (
    *(
        Entry.directory(path)
        for path in ("etc", "run", "tmp", "usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64")
    ),
    *(Entry.directory(path) for path in ("usr/local", "usr/local/bin", "var", "var/lib")),
    *(Entry(path, symlink=f"usr/{path}") for path in ("bin", "sbin", "lib", "lib64")),
    Entry("etc/passwd", b"root:x:0:0:root:/root:/bin/false\n"),
    Entry("etc/nsswitch.conf", b"hosts: files dns\n"),
)


def images(binaries: Path) -> Iterator[tuple[str, Image]]:
    """Name and image of each, from the directory that ``kubernetes_build.build`` returned."""
    for name in CONTROL_PLANE:
        yield f"{REGISTRY}/{name}:v{VERSION}", _image([_program(binaries / name)], name)
    proxy = [*_packages(_FIREWALL), *_firewall_links(), _program(binaries / "kube-proxy")]
    yield f"{REGISTRY}/kube-proxy:v{VERSION}", _image(proxy, "kube-proxy")
    server = debian.unpack(_SUITE, "etcd-server") / "usr" / "bin" / "etcd"
    client = debian.unpack(_SUITE, "etcd-client") / "usr" / "bin" / "etcdctl"
    yield ETCD, _image([*_packages(_C_LIBRARY), _program(server), _program(client)], "etcd")
    pause = Entry("pause", pause_program.build("amd64"), 0o755)
    yield PAUSE, Image((plain_layer([pause]),), {"Entrypoint": ["/pause"], "User": "65535:65535"})


def _image(entries: list[Entry], command: str) -> Image:
    return Image((plain_layer([*_SKELETON, *entries]),), {"Entrypoint": [f"/usr/local/bin/{command}"]})


def _program(path: Path) -> Entry:
    return Entry(f"usr/local/bin/{path.name}", path.read_bytes(), 0o755)


def _packages(names: tuple[str, ...]) -> Iterator[Entry]:
    """What the packages install, without documentation and character sets."""
    seen = set()
    for name in names:
        root = debian.unpack(_SUITE, name)
        for directory, _, files in sorted(os.walk(root)):
            below = _merged(Path(directory).relative_to(root))
            if below.startswith("usr/share") or "/gconv" in below:
                continue
            if below not in seen and below not in (
                "",
                "usr",
                "usr/lib",
                "usr/lib64",
                "usr/bin",
                "usr/sbin",
                "etc",
            ):
                yield Entry.directory(below)
            seen.add(below)
            for file in sorted(files):
                yield _file(Path(directory) / file, f"{below}/{file}")


def _file(source: Path, path: str) -> Entry:
    if source.is_symlink():
        return Entry(path, symlink=str(source.readlink()))
    return Entry(path, source.read_bytes(), source.stat().st_mode & 0o777)


def _merged(path: Path) -> str:
    text = "" if path == Path() else str(path)
    return f"usr/{text}" if text.partition("/")[0] in ("bin", "sbin", "lib", "lib64") else text


def _firewall_links() -> Iterator[Entry]:
    """What update-alternatives would have made."""
    for command in _FIREWALL_COMMANDS:
        yield Entry(f"usr/sbin/{command}", symlink="xtables-nft-multi")
