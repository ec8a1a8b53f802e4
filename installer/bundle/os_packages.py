"""A distribution's packages with all that they depend on, as a small repository that apt reads from a disk.

The controller's apt resolves them, through a configuration of its own, for a system on which nothing is
installed: what a host has already is not installed again, and what it lacks is there. apt has checked every
file against the archive's signed index.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from installer.artifacts import cache, tarball
from installer.bundle.targets import SUITES, Target
from installer.errors import ArtifactError, UsageError

_KEYRINGS: Final = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
ROOT: Final = "/var/lib/nodestrap/os-packages"  # on the node


def build(
    target: Target, names: Iterable[str], cache_dir: Path, sources: Iterable[str] = ()
) -> tuple[Path, str]:
    """The repository as a tar.gz, and its sha256; ``sources`` are lines for apt's sources.list.

    Raises UsageError for a target without apt, ArtifactError when a package cannot be had.
    """
    suite = SUITES.get((target.os_id, target.os_major))
    if suite is None or shutil.which("apt-get") is None:
        raise UsageError(
            f"packages of {target} cannot be bundled here: it takes apt, and a distribution that uses it",
            fix="run it on Debian or Ubuntu; for other hosts pass --no-packages and give them a repository",
        )
    wanted = sorted(set(names))
    home = cache_dir / "apt" / f"{target.os_id}-{target.os_major}-{target.architecture}"
    with cache.locked(cache_dir, f"apt-{home.name}"):
        environment = _configure(home, target, list(sources) or _standard_sources(target, suite))
        _apt(["update", "-q"], environment, f"the package lists of {target} cannot be had")
        stanzas = list(_fetch(home, wanted, environment, target))
    members = [tarball.Member(path.name, 0o644, path) for path, _ in stanzas]
    index = "\n".join(stanza for _, stanza in stanzas).encode()
    members += [
        tarball.Member("Packages", 0o644, data=index),
        tarball.Member("sources.list", 0o644, data=f"deb [trusted=yes] file:{ROOT} ./\n".encode()),
        tarball.Member("apt.conf", 0o644, data=_NODE_CONFIG.encode()),
    ]
    name = f"packages-{home.name}.tar.gz"
    return tarball.packed(cache_dir, name, tarball.inputs_key(name, members), lambda: members)


# The host's own sources are left as they are, and out of it: they may not be reachable.
_NODE_CONFIG: Final = f"""\
Dir::Etc::SourceList "{ROOT}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "/run/nodestrap-os-packages/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
"""


def _standard_sources(target: Target, suite: str) -> list[str]:
    """The mirror that this machine's own apt uses for the distribution, or the distribution's own."""
    from installer.lab.apt import access_for

    if target.os_id == "debian":
        mirror, security = access_for(suite).mirror, f"{suite}-security"
        options = f"[signed-by={_KEYRINGS['debian']}]"
        return [
            f"deb {options} {mirror} {suite} main",
            f"deb {options} {mirror} {suite}-updates main",
            f"deb {options} {mirror}-security {security} main",
        ]
    base = "http://archive.ubuntu.com/ubuntu" if target.architecture == "amd64" else "http://ports.ubuntu.com"
    options = f"[signed-by={_KEYRINGS['ubuntu']}]"
    return [
        f"deb {options} {base} {pocket} main universe"
        for pocket in (suite, f"{suite}-updates", f"{suite}-security")
    ]


def _configure(home: Path, target: Target, sources: list[str]) -> dict[str, str]:
    for sub in ("lists/partial", "cache/archives/partial", "state", "none/partial"):
        (home / sub).mkdir(parents=True, exist_ok=True)
    (home / "sources.list").write_text("".join(f"{line}\n" for line in sources))
    (home / "state/status").write_text("")  # nothing is installed
    (home / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{home}/sources.list";\n'
        'Dir::Etc::SourceParts "/dev/null";\n'
        'Dir::Etc::Preferences "/dev/null";\nDir::Etc::PreferencesParts "/dev/null";\n'
        f'Dir::State "{home}/state";\nDir::State::Lists "{home}/lists";\n'
        f'Dir::State::Status "{home}/state/status";\n'
        f'Dir::Cache "{home}/cache";\n'
        f'APT::Architecture "{target.architecture}";\nAPT::Architectures {{ "{target.architecture}"; }};\n'
        'APT::Sandbox::User "root";\nAcquire::Languages "none";\nAPT::Install-Recommends "false";\n'
        'APT::Keep-Downloaded-Packages "true";\n'
    )
    return {**os.environ, "APT_CONFIG": str(home / "apt.conf"), "LC_ALL": "C.UTF-8"}


def _fetch(
    home: Path, names: list[str], environment: dict[str, str], target: Target
) -> Iterator[tuple[Path, str]]:
    """Each .deb with its stanza for the index, ``Filename`` pointing beside it."""
    what = f"packages for {target} cannot be had: {', '.join(names)}"
    # With an empty cache of archives: otherwise it leaves out what is there already.
    empty = f"Dir::Cache::archives={home}/none"
    listed = _apt(["install", "-y", "--print-uris", "-qq", "-o", empty, *names], environment, what)
    _apt(["install", "-y", "-q", "--download-only", *names], environment, what)
    files = re.findall(r"^'[^']+' (\S+_\S+\.deb) \d+", listed, re.MULTILINE)
    versions = ["=".join(file.split("_")[:2]).replace("%3a", ":") for file in files]
    shown = _run(["apt-cache", "show", "--no-all-versions", *versions], environment, what)
    stanzas = {_key(stanza): stanza for stanza in shown.strip().split("\n\n")}
    for file, version in zip(files, versions, strict=True):
        path, stanza = home / "cache/archives" / file, stanzas.get(version, "")
        promised = re.search(r"^SHA256: (\w+)$", stanza, re.MULTILINE)
        if promised is None or promised[1] != cache.sha256_of(path):
            raise ArtifactError(
                f"{path}: not what the archive's index promises", fix=f"remove {home}, run again"
            )
        yield path, re.sub(r"^Filename: .*$", f"Filename: ./{file}", stanza, flags=re.MULTILINE) + "\n"


def _key(stanza: str) -> str:
    """``runc=1.1.5+ds1-1``."""
    fields = dict(re.findall(r"^(Package|Version): (\S+)$", stanza, re.MULTILINE))
    return f"{fields.get('Package')}={fields.get('Version')}"


def _apt(words: list[str], environment: dict[str, str], what: str) -> str:
    return _run(["apt-get", *words], environment, what)


def _run(argv: list[str], environment: dict[str, str], what: str) -> str:
    done = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.startswith("E:")]
        raise ArtifactError(
            f"{what}: {' '.join(said) or done.stderr.strip()[-300:]}",
            fix="check the network, or name the archive with --apt-source",
        )
    return done.stdout
