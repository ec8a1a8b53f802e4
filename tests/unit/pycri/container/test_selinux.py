"""pycri/container/spec/selinux.py, with SELinux said to be there: no test machine has it."""

import os
from pathlib import Path

import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri._generated.containerd_types_pb2 import Mount
from pycri.container.spec import selinux
from pycri.sandbox import spec as sandbox
from pycri.store import SandboxRecord
from tests.unit.pycri.container.test_spec import security, spec

LEVEL = cri.SELinuxOption(level="s0:c1,c2")


@pytest.fixture
def enforcing(monkeypatch):
    monkeypatch.setattr(selinux, "enabled", lambda: True)


def test_without_selinux_labels_have_no_effect():
    assert selinux.process_label(cri.SELinuxOption(type="container_t")) == ""
    assert "selinuxLabel" not in spec(security(selinux_options=LEVEL))["process"]


@pytest.mark.usefixtures("enforcing")
def test_process_and_files_are_labelled():
    found = spec(security(selinux_options=LEVEL))
    assert found["process"]["selinuxLabel"] == "system_u:system_r:container_t:s0:c1,c2"
    assert found["linux"]["mountLabel"] == "system_u:object_r:container_file_t:s0:c1,c2"
    assert "selinuxLabel" not in spec(security(selinux_options=LEVEL, privileged=True))["process"]
    pod = cri.PodSandboxConfig()
    pod.linux.security_context.selinux_options.CopyFrom(LEVEL)
    found = spec(security(selinux_options=cri.SELinuxOption(type="web_t")), pod)
    assert found["process"]["selinuxLabel"] == "system_u:system_r:web_t:s0:c1,c2"
    record = SandboxRecord(id="a", config=pod, created_at=1, cgroup="/c")
    paused = sandbox.sandbox_spec(record, {}, "h")
    assert paused["process"]["selinuxLabel"] == "system_u:system_r:container_t:s0:c1,c2"
    assert paused["linux"]["mountLabel"].endswith("container_file_t:s0:c1,c2")


@pytest.mark.usefixtures("enforcing")
def test_a_label_with_spaces_is_refused():
    with pytest.raises(errors.InvalidArgument, match="space"):
        selinux.process_label(cri.SELinuxOption(type="a b"))


def test_overlays_are_mounted_with_the_label():
    mounts = [Mount(type="overlay", options=["a=b"]), Mount(type="bind")]
    found = selinux.labelled(mounts, "u:r:t:s0:c1,c2")
    assert list(found[0].options) == ["a=b", 'context="u:r:t:s0:c1,c2"']
    assert list(found[1].options) == list(mounts[0].options[1:]) == []
    assert selinux.labelled(mounts, "") is mounts


@pytest.mark.usefixtures("enforcing")
def test_volumes_are_relabelled_and_links_not_followed(tmp_path, monkeypatch):
    done = []

    def setxattr(path, name, value, follow_symlinks):
        where = Path(path)  # below a descriptor: the link is not to be followed here either
        done.append((str(where.parent.resolve() / where.name), value, follow_symlinks))

    monkeypatch.setattr(os, "setxattr", setxattr)
    (tmp_path / "volume/d").mkdir(parents=True)
    (tmp_path / "volume/d/link").symlink_to("/etc")
    mounts = [cri.Mount(container_path="/x", host_path=str(tmp_path / "volume"), selinux_relabel=True)]
    config = security(selinux_options=LEVEL)
    config.mounts.extend(mounts)
    spec(config)
    label = b"system_u:object_r:container_file_t:s0:c1,c2\0"
    volume = str(tmp_path / "volume")
    assert done == [(path, label, False) for path in (volume, f"{volume}/d", f"{volume}/d/link")]
    config.mounts[0].host_path = "/usr/"
    with pytest.raises(errors.InvalidArgument, match="host's own"):
        spec(config)
