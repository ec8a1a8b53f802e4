"""pycri/cni/config.py: the conflist in force."""

import contextlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri import errors
from pycri.cni import config

GOOD = {"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge"}]}


def write(directory, name, text):
    path = directory / name
    path.write_text(text)
    # A file rewritten within one clock tick, with the same size, would look unchanged to anybody.
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))


def test_empty_directory_says_what_is_missing(tmp_path):
    with pytest.raises(errors.FailedPrecondition, match="waiting for a "):
        config.ConfDirectory(str(tmp_path)).current()


def test_a_file_that_appears_is_in_force_without_restart(tmp_path):
    directory = config.ConfDirectory(str(tmp_path))
    with pytest.raises(errors.FailedPrecondition):
        directory.current()
    write(tmp_path, "10-net.conflist", json.dumps(GOOD))
    assert directory.current().name == "net"


def test_the_first_by_name_wins_and_a_change_is_seen(tmp_path):
    directory = config.ConfDirectory(str(tmp_path))
    write(tmp_path, "20-b.conflist", json.dumps({**GOOD, "name": "b"}))
    assert directory.current().name == "b"
    write(tmp_path, "10-a.conflist", json.dumps({**GOOD, "name": "a"}))
    assert directory.current().name == "a"
    (tmp_path / "10-a.conflist").unlink()
    assert directory.current().name == "b"


def test_malformed_conflist_is_named_with_its_parse_error(tmp_path):
    write(tmp_path, "10-net.conflist", '{"name": ')
    with pytest.raises(errors.FailedPrecondition, match=r"10-net.conflist cannot be used: Expecting value"):
        config.ConfDirectory(str(tmp_path)).current()


def test_a_lone_plugin_is_a_list_of_one():
    found = config.parse('{"cniVersion": "0.4.0", "name": "x", "type": "ptp", "mtu": 9000}')
    assert found.version == "0.4.0"
    assert found.plugins[0]["mtu"] == 9000


@pytest.mark.parametrize("kind", ["../../bin/sh", "/bin/sh", "", ".", "..", "a\0b", 3])
def test_plugin_type_is_a_bare_file_name(kind):
    """CVE-2021-20206."""
    with pytest.raises(ValueError, match="bare file name"):
        config.parse(json.dumps({**GOOD, "plugins": [{"type": kind}]}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a b"}, '"name"'),
        ({"plugins": []}, '"plugins"'),
        ({"cniVersion": "one"}, '"cniVersion"'),
        ({"cniVersions": ["1"]}, '"cniVersions"'),
        ({"disableCheck": "maybe"}, '"disableCheck"'),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        config.parse(json.dumps({**GOOD, **change}))


def test_dump_and_parse_are_inverse():
    found = config.parse(json.dumps({**GOOD, "cniVersions": ["0.4.0", "1.0.0"], "disableCheck": "true"}))
    again = config.parse(found.dump())
    assert again == found
    assert again.disable_check


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    )
)
def test_any_document_is_parsed_or_refused(document):
    with contextlib.suppress(ValueError):
        config.parse(json.dumps(document))
