"""Pod and container files, credentials, and what is sent of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycri._generated import cri_pb2 as cri
from pycri.ctl.configs import container_config, pod_config
from pycri.ctl.errors import CtlError
from tests.support.fake_cri import FakeCri
from tests.unit.pycri.ctl.conftest import Run

POD = {"metadata": {"name": "p", "namespace": "n"}}
CONTAINER = {"metadata": {"name": "c"}, "image": {"image": "busybox"}}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def to(name: str, content: Any) -> str:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return to


def test_field_names_enums_and_numbers_as_crictl_takes_them(write: Callable[..., str]) -> None:
    linux = {"security_context": {"namespace_options": {"network": 2, "pid": "NODE"}}, "cgroup_parent": "/x"}
    config = pod_config(write("pod.json", {**POD, "linux": linux, "port_mappings": [{"host_port": 80}]}))
    options = config.linux.security_context.namespace_options
    assert (options.network, options.pid) == (cri.NODE, cri.NODE)
    assert config.port_mappings[0].host_port == 80
    assert len(config.metadata.uid) == 36


def test_values_of_the_environment_are_text(write: Callable[..., str]) -> None:
    envs = [{"key": "A", "value": "ü = 1"}, {"key": "B"}]
    config = container_config(write("c.json", {**CONTAINER, "envs": envs}))
    assert [(one.key, one.value) for one in config.envs] == [("A", "ü = 1".encode()), ("B", b"")]
    assert config.image.user_specified_image == "busybox"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no JSON object"),
        ({"metadata": {"name": "p"}}, "no namespace"),
        ({**POD, "linux": {"cgroup_parent": 7}}, "cgroup_parent"),
    ],
)
def test_bad_pods(content: Any, message: str, write: Callable[..., str]) -> None:
    with pytest.raises(CtlError, match=message):
        pod_config(write("pod.json", content))


def test_yaml_is_refused_by_name(write: Callable[..., str]) -> None:
    with pytest.raises(CtlError, match="YAML is not read here, only JSON"):
        pod_config(write("pod.yaml", "metadata:\n  name: p\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [({"image": {"image": "b"}}, "no name"), ({"metadata": {"name": "c"}}, "no image")],
)
def test_bad_containers(content: Any, message: str, write: Callable[..., str]) -> None:
    with pytest.raises(CtlError, match=message):
        container_config(write("c.json", content))


def test_unknown_fields_are_told(write: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert pod_config(write("pod.json", {**POD, "colour": "red", "hostname": "h"})).hostname == "h"
    assert "fields that the CRI does not know" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--creds", "me:a:b"), cri.AuthConfig(username="me", password="a:b")),
        (("--creds", "me"), cri.AuthConfig(username="me")),
        (("--auth", "eA=="), cri.AuthConfig(auth="eA==")),
        ((), cri.AuthConfig()),
    ],
)
def test_credentials(
    arguments: tuple[str, ...], expected: cri.AuthConfig, run: Run, serve: Callable[..., FakeCri]
) -> None:
    fake = serve({"PullImage": cri.PullImageResponse(image_ref="sha256:aa")})
    assert run("pull", *arguments, "-a", "k=v", "busybox").out == "Image is up to date for sha256:aa\n"
    (request,) = fake.requests("PullImage")
    assert request.auth == expected
    assert dict(request.image.annotations) == {"k": "v"}


def test_run_pulls_first_and_create_does_not(
    write: Callable[..., str], run: Run, serve: Callable[..., FakeCri], tmp_path: Path
) -> None:
    volume = {"container_path": "/v", "image": {"image": "data"}}
    pod, container = write("pod.json", POD), write("c.json", {**CONTAINER, "mounts": [volume]})
    fake = serve(
        {
            "PullImage": cri.PullImageResponse(),
            "RunPodSandbox": cri.RunPodSandboxResponse(pod_sandbox_id="p1"),
            "CreateContainer": cri.CreateContainerResponse(container_id="c1"),
            "StartContainer": cri.StartContainerResponse(),
        }
    )

    def pulled() -> list[str]:
        found = [request.image.image for request in fake.requests("PullImage")]
        fake.asked.clear()
        return found

    assert run("run", "-r", "crun", container, pod).out == "c1\n"
    assert fake.requests("RunPodSandbox")[0].runtime_handler == "crun"
    assert pulled() == ["busybox", "data"]
    assert run("run", "--no-pull", container, pod).code == 0
    assert pulled() == []
    assert run("create", "p1", container, pod).out == "c1\n"
    assert pulled() == []
    (tmp_path / "crictl.yaml").write_text("pull-image-on-create: true\ndisable-pull-on-run: true\n")
    assert run("create", "p1", container, pod).code == 0
    assert pulled() == ["busybox", "data"]
    assert run("run", container, pod).code == 0
    assert pulled() == []
    assert run("run", "--no-pull", "--with-pull", container, pod).code == 2


def test_a_password_is_asked_for(
    run: Run, serve: Callable[..., FakeCri], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = serve({"PullImage": cri.PullImageResponse()})
    monkeypatch.setattr("getpass.getpass", lambda _: "secret")
    assert run("pull", "-u", "me", "busybox").code == 0
    assert fake.requests("PullImage")[0].auth == cri.AuthConfig(username="me", password="secret")
    assert base64.b64encode(b"secret").decode() not in run("pull", "-u", "me", "busybox").out
