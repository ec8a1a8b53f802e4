"""Kubernetes 1.20.2, built from Debian bookworm's source package: real kubeadm, kubelet and control plane.

    python -m tests.support.kubernetes_build      # prints the directory with the binaries

No machine that runs the tests can reach Kubernetes' own release files, but each can reach Debian, whose
source package ``kubernetes`` is the whole upstream tree with its vendor directory. It is built as a GOPATH
tree, with the Go of its time from bullseye: a newer one breaks its vendored reflect2. The first build takes
five minutes on two idle cores (fifteen on busy ones) and 3 GB of disk while it lasts; the result,
480 MB, is cached under a key of everything that went in.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import debian

VERSION = "1.20.2"
BINARIES = (
    "kubeadm",
    "kubelet",
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
)
_GO = "1.15"
_RECIPE = 1  # part of the cache's key: raise it when a change to this file changes the binaries
_PACKAGE = "k8s.io/kubernetes"
_CRICTL = Path(__file__).with_name("crictl.go")
# Packages that speak of the tag without asking for it, or that no binary of ours contains.
_NOT_IN_OPENAPI = ("code-generator", "sample-apiserver")


class KubernetesBuildError(RuntimeError):
    """The build failed; the message says in which step, and what the compiler said."""


def build() -> Path:
    """Return the directory that holds the seven binaries, building them first where they are not cached.

    One process builds, others wait for it. Raises KubernetesBuildError, or DebianError when a package of
    Debian's cannot be had.
    """
    return _cached(VERSION, str(_RECIPE).encode(), _build)


def build_crictl() -> Path:
    """Return the directory that holds a small ``crictl`` (crictl.go), built against the same tree.

    Raises as ``build`` does.
    """
    return _cached("crictl", _CRICTL.read_bytes(), _build_crictl)


def _cached(name: str, recipe: bytes, make: Callable[[Path, list[Path], Path], None]) -> Path:
    """The finished ``bin`` directory of ``make``, from the cache or from now."""
    dsc = debian.download_source("bookworm", "kubernetes")
    go_packages = [debian.unpack("bullseye", f"golang-{_GO}-{part}") for part in ("go", "src")]
    target = cache_root() / _key(name, recipe, dsc, go_packages)
    if target.exists():
        return target
    with _locked(cache_root()):
        if not target.exists():
            _clear_stale(cache_root())
            work = cache_root() / f"building-{os.getpid()}"
            try:
                make(dsc, go_packages, work)
                (work / "bin").rename(target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return target


def cache_root() -> Path:
    """Where finished builds lie, each under the key of its inputs."""
    return debian.cache_root().parent / "kubernetes"


def _key(name: str, recipe: bytes, dsc: Path, go_packages: list[Path]) -> str:
    """The name, and a digest of the source (its .dsc lists every tarball's sum), the Go and the recipe."""
    parts = [dsc.read_bytes(), *(path.name.encode() for path in go_packages), recipe]
    return f"{name}-{hashlib.sha256(b'|'.join(parts)).hexdigest()[:16]}"


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process builds Kubernetes; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clear_stale(root: Path) -> None:
    """Remove what killed builds left; whoever holds the lock is the only builder."""
    for path in root.glob("building-*"):
        shutil.rmtree(path)


def _build(dsc: Path, go_packages: list[Path], work: Path) -> None:
    source, go, env = _prepare(dsc, go_packages, work)
    with _step("generate OpenAPI definitions, without which the API server will not start"):
        _generate_openapi(go, source, work, env)
    flags = f"-s -w -buildid= {_version_flags(dsc)}"
    with _step(f"compile {', '.join(BINARIES)}"):
        command = [go, "build", "-v", "-trimpath", "-ldflags", flags, "-o", f"{work / 'bin'}/"]
        _run_counted([*command, *(f"./cmd/{name}" for name in BINARIES)], cwd=source, env=env)
    missing = [name for name in BINARIES if not (work / "bin" / name).is_file()]
    if missing:
        raise KubernetesBuildError(f"go build succeeded, but made no {', '.join(missing)}")


def _build_crictl(dsc: Path, go_packages: list[Path], work: Path) -> None:
    source, go, env = _prepare(dsc, go_packages, work)
    (source / "cmd" / "crictl").mkdir()
    shutil.copy(_CRICTL, source / "cmd" / "crictl" / "main.go")
    command = [go, "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", str(work / "bin" / "crictl")]
    with _step("compile crictl"):
        _run([*command, "./cmd/crictl"], cwd=source, env=env)


def _prepare(dsc: Path, go_packages: list[Path], work: Path) -> tuple[Path, str, dict[str, str]]:
    """Lay out source and Go below ``work``; returns the tree, the ``go`` command and its environment."""
    source = work / "gopath" / "src" / _PACKAGE
    source.parent.mkdir(parents=True)
    (work / "bin").mkdir()
    if shutil.which("dpkg-source") is None:
        raise KubernetesBuildError("dpkg-source is missing: apt-get install dpkg-dev")
    with _step("unpack Debian's source package"):
        _run(["dpkg-source", "--no-check", "-x", str(dsc), str(source)], cwd=work, env=dict(os.environ))
    goroot = _goroot(go_packages, work)
    return source, str(goroot / "bin" / "go"), _environment(goroot, work)


def _goroot(go_packages: list[Path], work: Path) -> Path:
    """Join the two packages into one tree: the compiler's links lead into the other's directories."""
    for package in go_packages:
        shutil.copytree(package / "usr", work / "go", symlinks=True, dirs_exist_ok=True)
    return work / "go" / "lib" / f"go-{_GO}"


def _environment(goroot: Path, work: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **kept,
        "HOME": str(work),
        "GOROOT": str(goroot),
        "GOPATH": str(work / "gopath"),
        "GOCACHE": str(work / "gocache"),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
    }


def _generate_openapi(go: str, source: Path, work: Path, env: dict[str, str]) -> None:
    generator = work / "openapi-gen"
    _run([go, "build", "-o", str(generator), "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"], source, env)
    header = work / "header.txt"
    header.touch()
    packages = ",".join(f"{_PACKAGE}/{path}" for path in openapi_packages(source))
    command = [str(generator), "--logtostderr", "-i", packages, "-p", f"{_PACKAGE}/pkg/generated/openapi"]
    command += ["-O", "zz_generated.openapi", "-h", str(header), "-r", str(work / "violations.txt")]
    _run(command, source, env)


def openapi_packages(source: Path) -> list[str]:
    """Directories of the packages that carry a ``+k8s:openapi-gen=`` line, as import paths below the tree's.

    What lies in staging is imported through vendor.
    """
    found = set()
    for top in (source / "pkg", source / "staging" / "src" / "k8s.io"):
        for path in top.rglob("*.go"):
            if re.search(rb"^// *\+k8s:openapi-gen=", path.read_bytes(), re.MULTILINE):
                found.add(str(path.parent.relative_to(source)))
    wanted = (path for path in found if not any(f"/{name}/" in f"/{path}/" for name in _NOT_IN_OPENAPI))
    return sorted(path.replace("staging/src/", "vendor/", 1) for path in wanted)


def _version_flags(dsc: Path) -> str:
    """Linker flags for what ``--version`` says. Debian's tree has no git from which to learn it."""
    upstream = re.search(r"^Version: .*really([\d.]+)", dsc.read_text(), re.MULTILINE)
    if upstream is None or upstream[1] != VERSION:
        raise KubernetesBuildError(f"{dsc.name} is no Kubernetes {VERSION}: bookworm moved on, adapt VERSION")
    major, minor, _ = VERSION.split(".")
    values = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(
        f"-X {_PACKAGE}/vendor/k8s.io/{package}.{name}={value}"
        for package in ("component-base/version", "client-go/pkg/version")
        for name, value in values.items()
    )


@contextmanager
def _step(title: str) -> Iterator[None]:
    _say(title)
    started = time.monotonic()
    yield
    _say(f"  done in {time.monotonic() - started:.0f} s")


def _run(argv: list[str], cwd: Path, env: dict[str, str]) -> None:
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KubernetesBuildError(f"{argv[0]} failed in {cwd}: {(done.stderr or done.stdout)[-4000:]}")


def _run_counted(argv: list[str], cwd: Path, env: dict[str, str]) -> None:
    """Run ``go build -v``, which names each package that it compiled on a line of standard error."""
    lines: list[str] = []
    with subprocess.Popen(argv, cwd=cwd, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if len(lines) % 250 == 0:
                _say(f"  {len(lines)} packages of about 2500")
    if process.returncode != 0:
        raise KubernetesBuildError(f"go build failed in {cwd}: {''.join(lines[-60:])}")


def _say(message: str) -> None:
    print(f"kubernetes {VERSION}: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(build())
