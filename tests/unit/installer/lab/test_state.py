"""A lab's identity and its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.errors import NodestrapError, UsageError
from installer.lab import state
from installer.lab.state import Host, Lab

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def _lab(tmp_path: Path) -> Lab:
    hosts = (Host("node1", 1, "10.213.4.11"), Host("node2", 2, "127.0.0.1", 2201))
    return Lab("demo", "nspawn", "10.213.4.0/24", tmp_path / "inventory", hosts)


def test_a_saved_lab_is_loaded_as_it_was(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    lab.save()
    assert state.load("demo") == lab
    assert state.names() == ["demo"]
    assert lab.directory.stat().st_mode & 0o777 == 0o700


def test_a_lab_that_is_not_there_is_none_and_required_with_the_fix(tmp_path: Path) -> None:
    _lab(tmp_path).save()
    assert state.load("other") is None
    with pytest.raises(UsageError, match="no lab 'other'") as caught:
        state.require("other")
    assert caught.value.fix == "nodestrap lab up --name other (there are: demo)"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "hosts": 3}'])
def test_a_lab_file_of_another_make_is_refused_with_the_way_out(tmp_path: Path, content: str) -> None:
    directory = state.directory_of("demo")
    directory.mkdir(parents=True)
    (directory / "lab.json").write_text(content)
    with pytest.raises(NodestrapError) as caught:
        state.load("demo")
    assert caught.value.fix == "nodestrap lab down --name demo"


def test_an_unknown_host_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    assert lab.host("node2").port == 2201
    with pytest.raises(UsageError) as caught:
        lab.host("node3")
    assert caught.value.fix == "Its hosts are node1, node2."


def test_derived_names_fit_the_kernels_limit(tmp_path: Path) -> None:
    lab = _lab(tmp_path)
    assert len(lab.bridge) <= 15
    assert lab.gateway == "10.213.4.1"
    assert lab.tag == state.tag_of(lab.directory)


@given(st.text(max_size=40))
def test_only_harmless_names_pass(name: str) -> None:
    try:
        state.check_name(name)
    except UsageError:
        return
    assert name.isascii()
    assert name == name.lower()
    assert not set(name) & set("/. \n_")
