import pytest

from installer.errors import InventoryError
from installer.kubeadm import skew
from installer.kubeadm.version import KubernetesVersion, parse


def _all(**versions: str) -> dict[str, KubernetesVersion]:
    return {host: parse(text) for host, text in versions.items()}


@pytest.mark.parametrize(
    ("control_planes", "kubelets", "kubeadm"),
    [
        ({"a": "1.31.2"}, {"a": "1.31.2", "b": "1.31.0"}, "1.31.2"),
        ({"a": "1.31.2", "b": "1.30.9"}, {"c": "1.28.1"}, "1.31.2"),
        ({"a": "1.28.0"}, {"b": "1.25.0"}, "1.28.0"),
        ({"a": "1.22.0"}, {"b": "1.20.2"}, "1.23.0"),
        ({}, {}, "1.31.2"),
    ],
)
def test_allowed(control_planes: dict[str, str], kubelets: dict[str, str], kubeadm: str) -> None:
    skew.check(_all(**control_planes), _all(**kubelets), parse(kubeadm))


@pytest.mark.parametrize(
    ("control_planes", "kubelets", "kubeadm", "said"),
    [
        ({"a": "1.31.0", "b": "1.29.9"}, {}, "1.31.0", "a: API server 1.31.0 is more than one minor newer"),
        ({"a": "1.30.9"}, {"b": "1.31.0"}, "1.31.0", "b: kubelet 1.31.0 is newer than API server 1.30.9"),
        ({"a": "1.31.0"}, {"b": "1.27.9"}, "1.31.0", "b: kubelet 1.27.9 is more than 3 minors older"),
        ({"a": "1.26.0"}, {"b": "1.23.9"}, "1.26.0", "b: kubelet 1.23.9 is more than 2 minors older"),
        ({"a": "1.29.0"}, {}, "1.31.0", "a: kubeadm 1.31.0 cannot handle a control plane 1.29.0"),
        ({"a": "1.31.0"}, {}, "1.30.0", "a: kubeadm 1.30.0 cannot handle a control plane 1.31.0"),
        ({}, {"b": "1.32.0"}, "1.31.0", "b: kubelet 1.32.0 is newer than kubeadm 1.31.0"),
    ],
)
def test_refused(control_planes: dict[str, str], kubelets: dict[str, str], kubeadm: str, said: str) -> None:
    with pytest.raises(InventoryError) as caught:
        skew.check(_all(**control_planes), _all(**kubelets), parse(kubeadm))
    assert said in caught.value.reason


def test_every_breach_is_named_at_once() -> None:
    with pytest.raises(InventoryError) as caught:
        skew.check(_all(a="1.30.0"), _all(b="1.31.0", c="1.31.0"), parse("1.30.0"))
    assert len(caught.value.reason.splitlines()) == 5  # the heading, and both rules for both hosts


def test_upgrades() -> None:
    skew.check_upgrade(parse("1.30.1"), parse("1.30.1"))
    skew.check_upgrade(parse("1.30.1"), parse("1.31.0"))
    with pytest.raises(InventoryError, match="left out") as caught:
        skew.check_upgrade(parse("1.29.1"), parse("1.31.0"))
    assert "1.30" in str(caught.value.fix)
    with pytest.raises(InventoryError, match="cannot take it back"):
        skew.check_upgrade(parse("1.31.1"), parse("1.31.0"))
