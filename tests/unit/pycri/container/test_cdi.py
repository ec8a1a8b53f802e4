"""pycri/container/spec/cdi.py: vendors' edits to an OCI spec."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri import errors
from pycri.container.spec import cdi


def empty_spec():
    return {
        "process": {"env": ["PATH=/bin", "A=old"], "user": {"uid": 0, "additionalGids": [0]}},
        "mounts": [],
        "linux": {"resources": {"devices": []}},
    }


def write(directory, name="vendor.json", devices=None, common=None, kind="vendor.test/gpu"):
    directory.mkdir(parents=True, exist_ok=True)
    document = {"cdiVersion": "0.6.0", "kind": kind, "devices": devices or [], "containerEdits": common or {}}
    (directory / name).write_text(json.dumps(document))


def test_every_edit_is_made(tmp_path):
    edits = {
        "env": ["A=new", "B=1"],
        "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null", "permissions": "rw"}],
        "mounts": [{"hostPath": "/usr/lib/gpu", "containerPath": "/lib/gpu", "options": ["ro", "bind"]}],
        "hooks": [{"hookName": "createContainer", "path": "/usr/bin/hook", "args": ["hook", "x"]}],
        "additionalGids": [44, 0],
    }
    write(tmp_path, devices=[{"name": "0", "containerEdits": edits}], common={"env": ["COMMON=1"]})
    spec = empty_spec()
    cdi.apply(spec, ["vendor.test/gpu=0"], [tmp_path])
    assert spec["process"]["env"] == ["PATH=/bin", "COMMON=1", "A=new", "B=1"]
    assert spec["process"]["user"]["additionalGids"] == [0, 44]
    (device,) = spec["linux"]["devices"]
    assert (device["path"], device["type"], device["major"], device["minor"]) == ("/dev/gpu0", "c", 1, 3)
    assert spec["linux"]["resources"]["devices"] == [
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}
    ]
    assert spec["mounts"][0]["destination"] == "/lib/gpu"
    assert spec["hooks"] == {"createContainer": [{"path": "/usr/bin/hook", "args": ["hook", "x"]}]}


def test_common_edits_are_made_once_and_the_later_directory_wins(tmp_path):
    for number, directory in enumerate(("etc", "run")):
        devices = [{"name": name, "containerEdits": {"env": [f"FROM_{name}={directory}"]}} for name in "ab"]
        write(
            tmp_path / directory,
            devices=devices,
            common={"mounts": [{"hostPath": f"/{number}", "containerPath": "/c"}]},
        )
    spec = empty_spec()
    cdi.apply(spec, ["vendor.test/gpu=a", "vendor.test/gpu=b"], [tmp_path / "etc", tmp_path / "run"])
    assert [mount["source"] for mount in spec["mounts"]] == ["/1"]
    assert spec["process"]["env"][2:] == ["FROM_a=run", "FROM_b=run"]


@pytest.mark.parametrize(
    "name", ["gpu", "vendor.test/gpu", "vendor.test/gpu=", "/gpu=0", "vendor.test/gpu=../x"]
)
def test_malformed_names_are_refused(tmp_path, name):
    with pytest.raises(errors.InvalidArgument, match="not a CDI device name"):
        cdi.apply(empty_spec(), [name], [tmp_path])


def test_yaml_is_named_when_a_device_is_not_found(tmp_path):
    (tmp_path / "nvidia.yaml").write_text("kind: nvidia.com/gpu")
    with pytest.raises(errors.InvalidArgument, match=r"because they are YAML: .*nvidia\.yaml"):
        cdi.apply(empty_spec(), ["nvidia.com/gpu=0"], [tmp_path])


@pytest.mark.parametrize(
    "edits",
    [
        {"deviceNodes": [{"path": "relative"}]},
        {"deviceNodes": [{"path": "/etc/passwd"}]},
        {"deviceNodes": [{"path": "/dev/null", "permissions": "x"}]},
        {"mounts": [{"hostPath": "x", "containerPath": "/y"}]},
        {"hooks": [{"hookName": "prestart"}]},
        {"env": 5},
    ],
)
def test_descriptions_that_cannot_be_used_are_refused(tmp_path, edits):
    write(tmp_path, devices=[{"name": "0", "containerEdits": edits}])
    with pytest.raises(errors.InvalidArgument, match=r"vendor\.json cannot be used"):
        cdi.apply(empty_spec(), ["vendor.test/gpu=0"], [tmp_path])


_JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(
    _JSON,
    st.dictionaries(st.sampled_from(["env", "deviceNodes", "mounts", "hooks", "additionalGids"]), _JSON),
)
def test_any_description_is_applied_or_refused(tmp_path_factory, document, edits):
    directory = tmp_path_factory.mktemp("cdi")
    write(directory, devices=[{"name": "0", "containerEdits": edits}])
    (directory / "other.json").write_text(json.dumps(document))
    with contextlib.suppress(errors.InvalidArgument):
        cdi.apply(empty_spec(), ["vendor.test/gpu=0"], [directory])
