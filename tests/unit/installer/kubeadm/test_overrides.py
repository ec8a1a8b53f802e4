from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.errors import InventoryError
from installer.kubeadm import overrides
from installer.kubeadm.version import supported

TREE = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
TREES = st.dictionaries(st.sampled_from("abc"), TREE, max_size=3)


@given(TREES)
def test_merging_nothing_changes_nothing(base: dict[str, Any]) -> None:
    assert overrides.merge("ClusterConfiguration", base, {}) == base


@given(TREES, TREES)
def test_what_is_merged_is_in_the_result_and_merging_again_changes_nothing(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    sections = {"ClusterConfiguration": over}
    once = overrides.merge("ClusterConfiguration", base, sections)
    assert overrides.merge("ClusterConfiguration", once, sections) == once
    assert set(once) == set(base) | set(over)
    assert all(once[key] == value for key, value in over.items() if not isinstance(value, dict))


def test_neighbours_stay_lists_are_replaced_and_null_removes() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1, 2], "e": 5}
    over = {"a": {"b": 3}, "d": [4], "e": None, "f": {"g": None}}
    assert overrides.merge("ClusterConfiguration", base, {"ClusterConfiguration": over}) == {
        "a": {"b": 3, "c": 2},
        "d": [4],
        "f": {},
    }


def test_extra_arguments_merge_by_flag_in_either_form() -> None:
    base = {"nodeRegistration": {"kubeletExtraArgs": {"node-ip": "192.0.2.1", "v": "1"}}}
    listed = [
        {"name": "v", "value": "4"},
        {"name": "feature", "value": "a"},
        {"name": "feature", "value": "b"},
    ]
    for arguments in ({"v": "4", "feature": ["a", "b"]}, listed):
        section = {"InitConfiguration": {"nodeRegistration": {"kubeletExtraArgs": arguments}}}
        merged = overrides.merge("InitConfiguration", base, section)
        assert merged["nodeRegistration"]["kubeletExtraArgs"] == {
            "node-ip": "192.0.2.1",
            "v": "4",
            "feature": ["a", "b"],
        }
        overrides.check(section, supported("1.31.0"))
        with pytest.raises(InventoryError, match="feature must be a string"):
            overrides.check(section, supported("1.30.0"))


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ([], "must be a mapping"),
        ({"KubeletConfig": {}}, "KubeletConfiguration"),
        ({"KubeletConfiguration": []}, "must be a mapping"),
        ({"KubeletConfiguration": {"cgroupDriver": "systemd"}}, "pycri_cgroup_driver"),
        ({"KubeletConfiguration": {"kind": "KubeletConfiguration"}}, "leave it out"),
        ({"ClusterConfiguration": {"kubernetesVersion": "v1.31.0"}}, "set kubernetes_version"),
        ({"InitConfiguration": {"nodeRegistration": {"criSocket": "/run/x.sock"}}}, "it is pycri's"),
        ({"JoinConfiguration": {"discovery": {}}}, "cannot be overridden"),
        ({"ClusterConfiguration": {"apiServer": {"certSans": []}}}, "certSANs"),
        ({"ClusterConfiguration": {"scheduler": {"extraArgs": [{"name": "v"}]}}}, "extraArgs"),
    ],
)
def test_refused(given_: Any, said: str) -> None:
    with pytest.raises(InventoryError) as caught:
        overrides.check(given_, supported("1.28.0"))
    assert said in caught.value.render()


def test_null_fits_every_field_that_exists() -> None:
    overrides.check(
        {"KubeletConfiguration": {"maxPods": None, "evictionHard": {"x": None}}}, supported("1.20.2")
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InventoryError) as caught:
        overrides.check({"A": {}, "KubeletConfiguration": {"b": 1, "maxPods": "x"}}, supported("1.20.2"))
    assert len(caught.value.reason.splitlines()) == 4
