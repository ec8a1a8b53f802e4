"""Single packages from other Debian suites, unpacked beside the machine's own and never installed.

The tests need software of several ages at once: containerd 1.7 (trixie) and 2.1 (sid), the upstream CRI proto
(sid). ``unpack`` asks the Debian mirror that this machine already uses, through an apt configuration of its
own, so the machine's package lists and status stay as they are. Results are cached under the user's cache
directory, keyed by suite, package and version. ``download_source`` does the same for source packages, from
package lists of their own, since only few callers need those.

    python -m tests.support.debian SUITE PACKAGE

prints where the package was unpacked.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path


class DebianError(RuntimeError):
    """A package could not be had; the message says which, from where, and what apt said."""


def cache_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "nodestrap" / "debian"


def unpack(suite: str, package: str) -> Path:
    """Return the directory into which the suite's current version of a package was unpacked.

    Raises ``DebianError`` when the suite cannot be reached or has no such package.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = _apt_config(root / suite, suite)
        version = _candidate(config, root / suite, package, suite)
        target = root / suite / "unpacked" / f"{package}_{version.replace(':', '%3a')}"
        if not target.exists():
            _download(config, root / suite, package, version, target)
    return target


def libraries(suite: str, package: str) -> list[str]:
    """Names of the library packages that a package needs, and those need. Raises ``DebianError``."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = _apt_config(root / suite, suite)
        _candidate(config, root / suite, package, suite)
        text = _run(
            ["apt-cache", "depends", "--recurse", "--important", package], config, f"apt-cache, for {package}"
        )
    return sorted(set(re.findall(r"^(lib\S*\d\S*|zlib1g)$", text, re.MULTILINE)))


def download_source(suite: str, package: str) -> Path:
    """Return the ``.dsc`` of the suite's current version of a source package, with its tarballs beside it.

    apt has checked all of them against the suite's signed index: ``dpkg-source --no-check`` is enough.
    Raises ``DebianError`` when the suite cannot be reached or has no such package.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    home = root / f"{suite}-source"
    with (root / f"{suite}-source.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = _apt_config(home, suite, kind="deb-src")
        if not any((home / "lists").glob("*Sources*")):
            _run(["apt-get", "update", "-q"], config, f"the source lists of {suite} could not be had")
        version = _source_version(config, home, package, suite)
        target = home / "unpacked" / f"{package}_{version.replace(':', '%3a')}"
        if not target.exists():
            _download_source(config, home, f"{package}={version}", target)
    return next(target.glob("*.dsc"))


def mirror() -> str:
    """The Debian mirror that this machine's own apt uses."""
    for path in sorted(Path("/etc/apt").glob("sources.list*")):
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            for line in file.read_text().splitlines():
                found = re.match(r"(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+/debian)/?(?:\s|$)", line)
                if found:
                    return found[1]
    raise DebianError(
        "no Debian mirror in /etc/apt/sources.list or sources.list.d: is this a Debian machine?"
    )


def _apt_config(home: Path, suite: str, kind: str = "deb") -> dict[str, str]:
    for sub in ("lists/partial", "cache/archives/partial", "unpacked"):
        (home / sub).mkdir(parents=True, exist_ok=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (home / "sources.list").write_text(f"{kind} [signed-by={keyring}] {mirror()} {suite} main\n")
    (home / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{home}/sources.list";\n'
        'Dir::Etc::SourceParts "/nonexistent";\n'
        f'Dir::State::Lists "{home}/lists";\n'
        f'Dir::Cache "{home}/cache";\n'
        'APT::Sandbox::User "root";\n'
        'Acquire::Languages "none";\n'
    )
    return {**os.environ, "APT_CONFIG": str(home / "apt.conf"), "LC_ALL": "C.UTF-8"}


def _candidate(env: dict[str, str], home: Path, package: str, suite: str) -> str:
    lists = home / "lists"
    if not any(lists.glob("*Packages*")):
        _run(["apt-get", "update", "-q"], env, f"the package lists of {suite} could not be had")
    text = _run(["apt-cache", "policy", package], env, f"apt-cache failed for {package}")
    found = re.search(r"Candidate: (\S+)", text)
    if not found or found[1] == "(none)":
        raise DebianError(f"{suite} has no package {package}; remove {home} to fetch its lists anew")
    return found[1]


def _download_source(env: dict[str, str], home: Path, wanted: str, target: Path) -> None:
    command = ["apt-get", "source", "--download-only", "-q", "--only-source", wanted]
    work = home / f"fetch-{os.getpid()}"
    work.mkdir()
    try:
        _run(
            command, env, f"{wanted} could not be downloaded; remove {home} to fetch its lists anew", cwd=work
        )
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _source_version(env: dict[str, str], home: Path, package: str, suite: str) -> str:
    what = f"{suite} has no source package {package}; remove {home} to fetch its lists anew"
    text = _run(["apt-cache", "showsrc", "--only-source", package], env, what)
    versions = re.findall(r"^Version: (\S+)$", text, re.MULTILINE)
    if not versions:
        raise DebianError(what)
    return str(versions[-1])


def _download(env: dict[str, str], home: Path, package: str, version: str, target: Path) -> None:
    work = home / f"fetch-{os.getpid()}"
    work.mkdir()
    try:
        try:
            _run(["apt-get", "download", "-q", package], env, "", cwd=work)
        except DebianError:  # the suite moved on since its lists were read
            _run(["apt-get", "update", "-q"], env, f"apt-get update failed for {package}")
            _run(["apt-get", "download", "-q", package], env, f"{package} could not be downloaded", cwd=work)
        deb = next(work.glob("*.deb"))
        _run(["dpkg", "-x", str(deb), str(work / "tree")], env, f"{deb.name} could not be unpacked")
        (work / "tree").rename(target)
    finally:
        shutil.rmtree(work)


def _run(argv: list[str], env: dict[str, str], what: str, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DebianError(f"{what}: {' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


if __name__ == "__main__":
    print(unpack(*sys.argv[1:]))
