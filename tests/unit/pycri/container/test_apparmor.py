"""pycri/container/spec/apparmor.py, against stand-ins for the kernel's files and the parser."""

import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.container.spec import apparmor
from pycri.sandbox.spec import sandbox_spec
from pycri.store import SandboxRecord

KIND = cri.SecurityProfile
CONTEXT = cri.LinuxContainerSecurityContext


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Switches AppArmor on, with the given profiles loaded and a parser that ends with a code."""

    def make(*loaded, parser=None):
        (tmp_path / "enabled").write_text("Y\n")
        profiles = tmp_path / "profiles"
        profiles.write_text("".join(f"{name} (enforce)\n" for name in loaded))
        monkeypatch.setattr(apparmor, "_ENABLED", tmp_path / "enabled")
        monkeypatch.setattr(apparmor, "_LOADED", profiles)
        program = tmp_path / "parser"
        if parser is not None:
            program.write_text(
                f'#!/bin/sh\ncat >{tmp_path}/given\necho "pycri-default (enforce)" >>{profiles}\n{parser}\n'
            )
            program.chmod(0o755)
        monkeypatch.setattr(apparmor, "_PARSER", str(program))
        return tmp_path

    apparmor.enabled.cache_clear()
    yield make
    apparmor.enabled.cache_clear()


def profile(kind, name=""):
    return CONTEXT(apparmor=KIND(profile_type=kind, localhost_ref=name))


def test_the_default_is_loaded_when_it_is_needed(kernel):
    made = kernel(parser="exit 0")
    assert apparmor.of_container(CONTEXT()) == "pycri-default"
    assert "profile pycri-default" in (made / "given").read_text()
    (made / "given").unlink()
    assert apparmor.of_container(profile(KIND.RuntimeDefault)) == "pycri-default"
    assert not (made / "given").exists()
    assert apparmor.of_container(CONTEXT(privileged=True)) == ""


@pytest.mark.parametrize("parser", [None, "echo no >&2; exit 1"])
def test_the_default_that_cannot_be_loaded(kernel, parser, monkeypatch):
    kernel(parser=parser)
    if parser:
        monkeypatch.setattr(apparmor, "_is_loaded", lambda _: False)
    assert apparmor.of_container(CONTEXT()) == ""
    with pytest.raises(errors.InvalidArgument, match="RuntimeDefault is wanted, but"):
        apparmor.of_container(profile(KIND.RuntimeDefault))


@pytest.mark.parametrize(
    "asked",
    [
        profile(KIND.Localhost, "web"),
        CONTEXT(apparmor_profile="localhost/web"),
        profile(KIND.Localhost, "localhost/web"),
    ],
)
def test_a_profile_by_name(kernel, asked):
    kernel("web")
    assert apparmor.of_container(asked) == "web"
    asked.privileged = True
    assert apparmor.of_container(asked) == "web"
    kernel("other")
    with pytest.raises(errors.InvalidArgument, match='"web" is not loaded'):
        apparmor.of_container(asked)


@pytest.mark.parametrize("asked", [profile(KIND.Unconfined), CONTEXT(apparmor_profile="unconfined")])
def test_unconfined(kernel, asked):
    kernel("pycri-default")
    assert apparmor.of_container(asked) == "unconfined"


@pytest.mark.parametrize(
    "asked",
    [
        profile(KIND.RuntimeDefault),
        CONTEXT(apparmor_profile="runtime/default"),
        profile(KIND.Localhost, "web"),
    ],
)
def test_a_host_without_apparmor_says_so(asked, monkeypatch, tmp_path):
    monkeypatch.setattr(apparmor, "_ENABLED", tmp_path / "none")
    apparmor.enabled.cache_clear()
    with pytest.raises(errors.InvalidArgument, match="no AppArmor"):
        apparmor.of_container(asked)
    assert apparmor.of_container(CONTEXT()) == apparmor.of_container(profile(KIND.Unconfined)) == ""
    apparmor.enabled.cache_clear()


def test_the_pods_own_process(kernel):
    def of_pod(**fields):
        pod = cri.PodSandboxConfig()
        pod.linux.security_context.MergeFrom(cri.LinuxSandboxSecurityContext(**fields))
        record = SandboxRecord(id="a", config=pod, created_at=1, cgroup="/c")
        return sandbox_spec(record, {}, "h")["process"].get("apparmorProfile")

    kernel("web", "pycri-default")
    assert of_pod() is None
    assert of_pod(apparmor=KIND(profile_type=KIND.Localhost, localhost_ref="web")) == "web"
    assert of_pod(apparmor=KIND(profile_type=KIND.RuntimeDefault)) == "pycri-default"
    with pytest.raises(errors.InvalidArgument, match='"none" is not loaded'):
        of_pod(apparmor=KIND(profile_type=KIND.Localhost, localhost_ref="none"))
