"""pycri/config.py: defaults round-trip, mistakes are named with file and line."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri import config


def test_default_file_gives_the_defaults():
    assert config.parse(config.default_toml()) == config.Config()


def test_every_key_of_the_default_file_has_a_comment():
    lines = config.default_toml().splitlines()
    for before, line in itertools.pairwise(lines):
        if " = " in line and not line.startswith("#"):
            assert before.startswith("#"), line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "\n[containerd]\nadress = '/x'\n",
            'c.toml:3: unknown key "adress" in section [containerd]; did you',
        ),
        ("rot = '/x'", 'c.toml:1: unknown key "rot" in the top level; did you mean "root"?'),
        ("[images]\nprogress_timeout = 5", "c.toml:2: images.progress_timeout = 5: expected a duration"),
        ("[cni]\nbin_dirs = ['opt']", "c.toml:2: cni.bin_dirs = ['opt']: expected an absolute path"),
        ("cni = 4", 'c.toml:1: "cni" is a section: write [cni]'),
        ("\na = ", "c.toml:2: not valid TOML:"),
        ("a = [", "c.toml:1: not valid TOML:"),
        ("[runtimes.k]\n\ntype = 'kata'", "c.toml:3: runtimes.k.type = 'kata': expected a shim"),
        ("[runtimes.k]\ntype='io.containerd.kata.v2'\nbinary='x'", "c.toml:3: binary is the runc shim's"),
        ("[runtimes.k]\nconfig_path='/x'", "c.toml:2: config_path is not for the runc shim"),
        ("[cgroups]\ndriver='cgroup'", "c.toml:2: cgroups.driver = 'cgroup': expected one of \"auto\""),
        ("[streaming]\nport = 70000", "c.toml:2: streaming.port = 70000: expected a whole number"),
        ("default_runtime = 'kata'", 'c.toml:1: "kata" is not among runtimes: runc'),
        ("[runtimes.crun]\nbinry='crun'", 'c.toml:2: unknown key "binry" in section [runtimes.crun]'),
    ],
)
def test_mistakes_are_named_with_line(text, message):
    with pytest.raises(config.ConfigError) as caught:
        config.parse(text, "c.toml")
    assert str(caught.value).startswith(message)


def test_missing_file_is_an_error_only_when_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "DEFAULT_PATH", tmp_path / "none")
    assert config.load() == config.Config()
    with pytest.raises(config.ConfigError, match="cannot be read"):
        config.load(tmp_path / "other")


def test_runtimes_are_read():
    read = config.parse("default_runtime='crun'\n[runtimes.crun]\nbinary='crun'")
    assert read.runtimes == {"crun": config.Runtime(binary="crun")}


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("500ms", 0.5), ("5m", 300), ("1.5s", 1.5)])
def test_durations(text, seconds):
    assert config.duration(text) == seconds


@given(st.text())
def test_any_text_is_parsed_or_refused(text):
    with contextlib.suppress(config.ConfigError):
        config.parse(text)
