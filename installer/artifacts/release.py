"""pycri for nodes that nodestrap does not set up: one archive per architecture, installed by hand.

    python -m installer.artifacts.release --output dist

Beside the wheels (pycri's own and what it needs, for every Python that a node may have) it holds the units,
the default configuration, containerd's, and an ``install`` script. Nothing on the node needs pip, a compiler
or a network. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import jinja2

from installer.artifacts import cache, tarball, wheels
from installer.artifacts.progress import silent
from installer.artifacts.pycri_archive import own_files
from installer.artifacts.spec import ARCHITECTURES
from installer.artifacts.tarball import Member
from installer.cluster.state import artifact_cache_dir
from installer.content import content_dir
from installer.errors import NodestrapError
from pycri.config import default_toml
from pycri.version import __version__

_MANAGED: Final = "# Managed by nodestrap; the next run overwrites changes."
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
# The units are the role's. systemd before 254 does not know one of their settings, says so and goes on.
_VALUES: Final = {
    "ansible_facts": {"systemd": {"version": 254}},
    "pycri_interpreter": "@PYTHON@",
    "pycri_proxy": {},
}


def build(output: Path, machine: str, cache_dir: Path, wheelhouse: Path | None = None) -> Path:
    """Write ``pycri-VERSION-ARCHITECTURE.tar.gz`` into ``output``. Raises ArtifactError."""
    name = f"pycri-{__version__}-{ARCHITECTURES[machine]}"
    members = list(_members(machine, cache_dir, wheelhouse))
    sums = "".join(f"{member.sha256()}  {member.name}\n" for member in members)
    members.append(Member("SHA256SUMS", 0o644, data=sums.encode()))
    output.mkdir(parents=True, exist_ok=True)
    target = output / f"{name}.tar.gz"
    part = target.with_name(target.name + ".part")
    with part.open("wb") as handle:
        inside = [Member(f"{name}/{each.name}", each.mode, each.source, each.data) for each in members]
        tarball.write(handle, sorted(inside, key=lambda each: each.name))
    part.replace(target)
    return target


def _members(machine: str, cache_dir: Path, wheelhouse: Path | None) -> Iterator[Member]:
    templates = content_dir("templates")
    for name in ("install", "README.md"):
        text = (templates / "release" / name).read_text().replace("@VERSION@", __version__)
        yield Member(name, 0o755 if name == "install" else 0o644, data=text.encode())
    yield Member("config.toml", 0o644, data=default_toml().encode())
    yield Member("crictl.yaml", 0o644, data=_rendered(templates / "pycri" / "crictl.yaml.j2"))
    yield Member("pycri", 0o755, data=_rendered(templates / "pycri" / "pycri.py.j2"))
    for unit in ("pycri.service", "pycri-io.service"):
        yield Member(f"units/{unit}", 0o644, data=_rendered(templates / "systemd" / f"{unit}.j2"))
    for version in ("v2", "v3"):
        config = templates / "containerd" / f"config-{version}.toml.j2"
        yield Member(f"containerd/config-{version}.toml", 0o644, data=_rendered(config))
    yield Member(f"wheels/any/pycri-{__version__}-py3-none-any.whl", 0o644, data=_own_wheel())
    seen: set[str] = set()
    for python in wheels.supported_pythons():
        for path in wheels.fetch(wheels.wheels_for(python, machine), python, cache_dir, wheelhouse, silent):
            alone = ("-cp3" in path.name and "abi3" not in path.name) or path.name.startswith("tomli")
            place = f"wheels/{python if alone else 'any'}/{path.name}"
            if place not in seen:
                seen.add(place)
                yield Member(place, 0o644, path)


def _rendered(path: Path) -> bytes:
    environment = jinja2.Environment(  # as Ansible sets it up; these are no HTML
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,
    )
    text = environment.from_string(path.read_text()).render(_VALUES)
    return text.replace(_MANAGED, "# From a release of pycri.").encode()


def _own_wheel() -> bytes:
    """pycri alone, of this distribution's two packages (PEP 427): the node has no use for the installer."""
    info = f"pycri-{__version__}.dist-info"
    metadata = (
        f"Metadata-Version: 2.1\nName: pycri\nVersion: {__version__}\nRequires-Python: >=3.10\n"
        "Requires-Dist: grpcio\nRequires-Dist: protobuf\nRequires-Dist: urllib3\n"
        "Requires-Dist: tomli; python_version < '3.11'\nLicense-Expression: Apache-2.0\n"
    )
    files = {member.name.removeprefix("lib/"): member.data for member in own_files()}
    files[f"{info}/METADATA"] = metadata.encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: nodestrap\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\npycri = pycri.cli:main\n"
    record = "".join(f"{name},sha256={_urlsafe(data)},{len(data)}\n" for name, data in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def main() -> int:
    """Build one archive per architecture, and their sums; the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/release", description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("dist"), help="default: %(default)s")
    parser.add_argument("--arch", choices=list(ARCHITECTURES.values()), help="only this one")
    parser.add_argument("--wheelhouse", type=Path, help="take wheels from here before the index")
    options = parser.parse_args()
    try:
        built = [
            build(options.output, machine, artifact_cache_dir(), options.wheelhouse)
            for machine, architecture in ARCHITECTURES.items()
            if options.arch in (None, architecture)
        ]
    except NodestrapError as error:
        print(error.render(), file=sys.stderr)  # noqa: T201
        return error.exit_code
    sums = "".join(f"{cache.sha256_of(path)}  {path.name}\n" for path in built)
    (options.output / "SHA256SUMS").write_text(sums)
    print(sums, end="")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
