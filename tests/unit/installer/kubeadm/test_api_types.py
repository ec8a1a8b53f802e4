from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.kubeadm import api_types
from installer.kubeadm.version import KubernetesVersion, supported

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RELEASES = [KubernetesVersion(1, minor, 0) for minor in range(20, 37)]


def _said(kind: str, document: Any, text: str) -> str:
    return "\n".join(api_types.problems(kind, document, supported(text)))


@pytest.mark.parametrize("kind", api_types.GROUPS)
@pytest.mark.parametrize("version", RELEASES, ids=str)
def test_every_type_that_a_table_names_exists(kind: str, version: KubernetesVersion) -> None:
    """Ask for every field of every type: a dangling name would be a KeyError."""
    table = api_types._table(api_types.GROUPS[kind][0])
    scalars = {*api_types._SCALARS}
    for fields in table.values():
        for spec in fields.values():
            for entry in api_types._entries(spec):
                name = entry.split(" ")[0].replace("[]", "").replace("map[string]", "")
                assert name in scalars or name in table
        assert list(api_types._Checker(kind, version).fields("here", next(iter(table)), {})) == []


@pytest.mark.parametrize("kind", api_types.GROUPS)
@given(document=st.dictionaries(st.text(), JSON, max_size=3))
def test_any_document_is_answered_with_sentences(kind: str, document: dict[str, Any]) -> None:
    for sentence in api_types.problems(kind, document, supported("1.31.0")):
        assert sentence.startswith(kind)


def test_api_versions() -> None:
    assert api_types.api_version("InitConfiguration", supported("1.20.2")) == "kubeadm.k8s.io/v1beta2"
    assert api_types.api_version("JoinConfiguration", supported("1.31.0")) == "kubeadm.k8s.io/v1beta4"
    assert (
        api_types.api_version("KubeletConfiguration", supported("1.36.0")) == "kubelet.config.k8s.io/v1beta1"
    )


def test_a_misspelt_field_is_named_with_its_neighbour() -> None:
    assert "maxPods" in _said("KubeletConfiguration", {"maxPodds": 3}, "1.31.0")


def test_a_field_of_another_release_is_named_with_its_range() -> None:
    assert "since 1.31" in _said("KubeletConfiguration", {"failCgroupV1": False}, "1.28.0")
    assert not _said("KubeletConfiguration", {"failCgroupV1": False}, "1.31.0")
    assert "until 1.25" in _said("KubeProxyConfiguration", {"udpIdleTimeout": "1s"}, "1.26.0")
    assert "since v1beta3" in _said("InitConfiguration", {"skipPhases": []}, "1.20.2")
    assert "until v1beta3" in _said("JoinConfiguration", {"discovery": {"timeout": "1m"}}, "1.31.0")


def test_a_type_that_changed_with_the_api() -> None:
    as_map, as_list = {"v": "2"}, [{"name": "v", "value": "2"}]
    for text, fits, other in (("1.30.0", as_map, as_list), ("1.31.0", as_list, as_map)):
        assert not _said("ClusterConfiguration", {"scheduler": {"extraArgs": fits}}, text)
        assert "scheduler.extraArgs must be" in _said(
            "ClusterConfiguration", {"scheduler": {"extraArgs": other}}, text
        )


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("maxPods", "110", "a whole number"),
        ("maxPods", True, "a whole number"),
        ("failSwapOn", "false", "true or false"),
        ("syncFrequency", "1 minute", "a duration"),
        ("syncFrequency", 60, "a duration"),
        ("clusterDNS", "10.96.0.10", "a list"),
        ("clusterDNS", [1], "clusterDNS[0] must be a string"),
        ("evictionHard", {"memory.available": 5}, "a string"),
        ("evictionHard", ["5%"], "a mapping"),
        (
            "authentication",
            {"webhook": {"enabled": 1}},
            "authentication.webhook.enabled must be true or false",
        ),
        ("logging", 3, "a mapping"),
    ],
)
def test_wrong_types(field: str, value: Any, said: str) -> None:
    assert said in _said("KubeletConfiguration", {field: value}, "1.31.0")


@pytest.mark.parametrize("text", ["0", "0s", "4m0s", "1h30m", "1.5h", "250ms", "-1s"])
def test_durations(text: str) -> None:
    assert not _said("KubeletConfiguration", {"syncFrequency": text}, "1.20.2")
