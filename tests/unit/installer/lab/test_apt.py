"""Hosts get packages as the controller does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.lab.apt import access_for, debian_mirror

ONE_LINE = (
    "# deb http://old.example/debian bookworm main\n"
    "deb [arch=amd64] http://mirror.example/debian bookworm main\n"
)
PROXY = 'Acquire::http::Proxy "http://proxy.example:3128";\n'
SETTINGS = f'Dir::Cache::pkgcache "";\n{PROXY}DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";\n'
DEB822 = (
    "Types: deb\n# URIs: http://old.example/debian\nURIs: http://mirror.example/debian/\nSuites: bookworm\n"
)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "apt/auth.conf.d").mkdir()
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    (tmp_path / "apt/sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "apt/sources.list.d/other.sources.disabled").write_text("URIs: http://no.example/debian")
    (tmp_path / "apt/auth.conf.d/mirror.conf").write_text("machine mirror.example login a password b\n")
    return tmp_path


@pytest.mark.parametrize("sources", [ONE_LINE, DEB822, f"{DEB822}\n{ONE_LINE}"])
def test_the_mirror_is_read_from_either_format(sources: str) -> None:
    assert debian_mirror(sources) == "http://mirror.example/debian"


@given(st.text())
def test_any_text_is_read(sources: str) -> None:
    mirror = debian_mirror(sources)
    assert mirror is None or mirror.endswith("/debian")


def test_the_same_suite_takes_the_controllers_files_as_they_are(etc: Path) -> None:
    access = access_for("bookworm", etc=etc, environ={}, settings=SETTINGS)
    assert access.files["/etc/apt/sources.list.d/debian.sources"] == DEB822.encode()
    assert access.files["/etc/apt/apt.conf.d/90nodestrap-lab"] == PROXY.encode()
    assert "/etc/apt/sources.list" not in access.files


def test_another_suite_gets_its_own_sources_on_the_same_mirror(etc: Path) -> None:
    access = access_for("trixie", etc=etc, environ={}, settings=SETTINGS)
    assert access.mirror == "http://mirror.example/debian"
    assert b"http://mirror.example/debian trixie main" in access.files["/etc/apt/sources.list"]
    assert b"http://mirror.example/debian-security trixie-security" in access.files["/etc/apt/sources.list"]
    assert "/etc/apt/sources.list.d/debian.sources" not in access.files
    assert access.files["/etc/apt/apt.conf.d/90nodestrap-lab"] == PROXY.encode()


def test_a_controller_that_is_no_debian_falls_back_to_debians_mirror(etc: Path) -> None:
    (etc / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=bookworm\n")
    (etc / "apt/sources.list.d/debian.sources").write_text("URIs: http://archive.example/ubuntu\n")
    access = access_for("bookworm", etc=etc, environ={}, settings=SETTINGS)
    assert b"http://deb.debian.org/debian bookworm main" in access.files["/etc/apt/sources.list"]


def test_installing_replaces_the_sources_and_guards_the_credentials(etc: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc/apt/sources.list.d").mkdir(parents=True)
    (root / "etc/apt/sources.list").write_text("deb http://bootstrap.example/debian bookworm main\n")
    access_for(
        "bookworm", etc=etc, environ={"https_proxy": "http://proxy.example:3128"}, settings=""
    ).install(root)
    assert not (root / "etc/apt/sources.list").exists()
    assert (root / "etc/apt/auth.conf.d/mirror.conf").stat().st_mode & 0o777 == 0o600
    assert (root / "etc/environment").read_text() == 'https_proxy="http://proxy.example:3128"\n'


def test_whatever_changes_the_packages_changes_the_key(etc: Path) -> None:
    before = access_for("bookworm", etc=etc, environ={}, settings=SETTINGS)
    assert before.key == access_for("bookworm", etc=etc, environ={}, settings=SETTINGS).key
    assert before.key != access_for("bookworm", etc=etc, environ={"http_proxy": "x"}, settings=SETTINGS).key
    assert before.key != access_for("bookworm", etc=etc, environ={}, settings="").key
    (etc / "apt/sources.list.d/more.list").write_text("")
    assert before.key != access_for("bookworm", etc=etc, environ={}, settings=SETTINGS).key
