"""How this machine gets Debian packages, so that lab hosts get them in the same way.

Nothing is assumed about mirrors: sources, pins, credentials, keys, proxies and private certificate
authorities are the controller's own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from installer.lab.tools import run

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_MIRROR = "http://deb.debian.org/debian"
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
# How packages are fetched and trusted. The controller's hooks and its image-size tuning stay its own.
_SETTINGS = (
    *(
        "Acquire::http",
        "Acquire::https",
        "Acquire::ftp",
        "Acquire::Check-",
        "Acquire::Allow",
        "Acquire::By-Hash",
    ),
    *("Acquire::Force", "Acquire::Retries", "Acquire::Queue-Mode", "Acquire::Languages"),
    *("APT::Authentication", "APT::Get::AllowUnauthenticated"),
)
_COPIED = (
    *("sources.list", "sources.list.d", "auth.conf", "auth.conf.d", "keyrings"),
    *("preferences", "preferences.d", "trusted.gpg", "trusted.gpg.d"),
)


@dataclass(frozen=True)
class PackageAccess:
    """A suite, the mirror it comes from, and what of the controller's settings belongs on a host."""

    suite: str
    mirror: str
    files: Mapping[str, bytes]
    """Absolute path on the host -> content."""
    environment: Mapping[str, str]
    """Proxy variables."""

    @property
    def key(self) -> str:
        """A digest of all of it."""
        total = hashlib.sha256(f"{self.suite} {self.mirror} {sorted(self.environment.items())}".encode())
        for path in sorted(self.files):
            total.update(path.encode() + b"\0" + self.files[path] + b"\0")
        return total.hexdigest()

    def install(self, root: Path) -> None:
        """Write the settings into the file system at `root`, in place of those it came with."""
        for name in ("sources.list", "sources.list.d"):
            old = root / "etc/apt" / name
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
        for path, content in self.files.items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(0o600 if "/auth.conf" in path else 0o644)
        if self.environment:
            lines = "".join(f'{name}="{value}"\n' for name, value in sorted(self.environment.items()))
            (root / "etc/environment").write_text(lines)


def access_for(
    suite: str,
    *,
    etc: Path = Path("/etc"),
    environ: Mapping[str, str] | None = None,
    settings: str | None = None,
) -> PackageAccess:
    """How a host of Debian `suite` gets packages on this machine.

    The controller's own sources are used when it runs the same suite; otherwise a standard set for `suite`
    on the mirror that its sources name (Debian's own where it is no Debian). `settings` is what
    `apt-config dump` prints.
    """
    if settings is None:
        settings = run("apt-config", "dump") if shutil.which("apt-config") else ""
    environ = os.environ if environ is None else environ
    mirror = debian_mirror(_sources(etc)) or DEFAULT_MIRROR
    files = {f"/etc/apt/{name}": content for name, content in _apt_files(etc).items()}
    if _codename(etc) != suite:
        files = {
            name: content
            for name, content in files.items()
            if "/sources.list" not in name and "/preferences" not in name
        }
        files["/etc/apt/sources.list"] = _standard_sources(suite, mirror).encode()
    kept = [line for line in settings.splitlines() if line.startswith(_SETTINGS)]
    files["/etc/apt/apt.conf.d/90nodestrap-lab"] = "".join(f"{line}\n" for line in kept).encode()
    authorities = Path("/usr/local/share/ca-certificates")
    if authorities.is_dir():
        files.update({str(path): path.read_bytes() for path in sorted(authorities.rglob("*.crt"))})
    proxies = {
        name: value
        for name in (*_PROXIES, *(name.upper() for name in _PROXIES))
        if (value := environ.get(name))
    }
    return PackageAccess(suite, mirror, files, proxies)


def debian_mirror(sources: str) -> str | None:
    """The first archive URI for Debian's main suites in `sources` (one-line and deb822 mixed), if any."""
    one_line = re.search(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+/debian/?)\s+\S+\s+.*\bmain\b", sources, re.MULTILINE)
    stanza = re.search(r"^URIs:\s*(\S+/debian/?)(?:\s|$)", sources, re.MULTILINE)
    found = one_line or stanza
    return found[1].rstrip("/") if found else None


def _standard_sources(suite: str, mirror: str) -> str:
    options = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    return (
        f"deb {options} {mirror} {suite} main\n"
        f"deb {options} {mirror} {suite}-updates main\n"
        f"deb {options} {mirror}-security {suite}-security main\n"
    )


def _codename(etc: Path) -> str:
    try:
        release = (etc / "os-release").read_text()
    except FileNotFoundError:
        return ""
    found = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", release, re.MULTILINE)
    return found[1] if found and re.search(r"^ID=\"?debian\"?$", release, re.MULTILINE) else ""


def _sources(etc: Path) -> str:
    return "\n".join(
        content.decode(errors="replace")
        for name, content in _apt_files(etc).items()
        if name.startswith("sources.list") and name.endswith((".list", ".sources"))
    )


def _apt_files(etc: Path) -> dict[str, bytes]:
    found = {}
    for name in _COPIED:
        top = etc / "apt" / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file():
                found[str(path.relative_to(etc / "apt"))] = path.read_bytes()
    return found
