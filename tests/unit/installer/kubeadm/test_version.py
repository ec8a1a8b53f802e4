import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.errors import InventoryError
from installer.kubeadm import version

NUMBER = st.integers(min_value=0, max_value=9999)


@given(NUMBER, NUMBER, NUMBER)
def test_what_is_printed_is_read_back(major: int, minor: int, patch: int) -> None:
    parsed = version.parse(f"v{major}.{minor}.{patch}")
    assert parsed.triple == (major, minor, patch)
    assert version.parse(str(parsed)) == parsed


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parsed = version.parse(text)
    except InventoryError:
        return
    assert str(parsed) == text.strip().removeprefix("v")


def test_a_release_candidate() -> None:
    assert version.parse("1.36.0-rc.1").pre == "rc.1"


@pytest.mark.parametrize(
    "text", ["", "1", "1.3", "1.30", 1.3, None, "1.20.2.1", "latest", "1.020.2", "1.20.-1"]
)
def test_refused(text: object) -> None:
    with pytest.raises(InventoryError, match="version"):
        version.parse(text)


@pytest.mark.parametrize("text", ["1.19.16", "1.37.0", "2.20.0", "0.31.0"])
def test_out_of_range_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(InventoryError, match="not supported") as caught:
        version.supported(text)
    assert "1.20 to 1.36" in str(caught.value.fix)


@pytest.mark.parametrize(
    ("text", "api"),
    [
        ("1.20.0", "v1beta2"),
        ("1.21.14", "v1beta2"),
        ("1.22.0", "v1beta3"),
        ("1.30.9", "v1beta3"),
        ("1.31.0", "v1beta4"),
        ("1.36.2", "v1beta4"),
    ],
)
def test_the_configuration_api(text: str, api: str) -> None:
    assert version.supported(text).config_api == api


def test_what_changes_with_the_version() -> None:
    at = version.supported
    assert at("1.26.15").takes_remote_flag
    assert not at("1.27.0").takes_remote_flag
    assert not at("1.34.3").refuses_cgroup_v1
    assert at("1.35.0").refuses_cgroup_v1
    assert at("1.30.0").needs_crictl
    assert not at("1.31.0").needs_crictl
    assert at("1.23.1").control_plane_taints == ("node-role.kubernetes.io/master",)
    assert len(at("1.24.1").control_plane_taints) == 2
    assert at("1.25.1").control_plane_taints == ("node-role.kubernetes.io/control-plane",)
