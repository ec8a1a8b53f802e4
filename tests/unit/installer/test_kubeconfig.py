"""One cluster's credentials in a file with others, and nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from installer import kubeconfig
from installer.errors import UsageError

ADMIN_CONF = """
apiVersion: v1
kind: Config
clusters: [{name: kubernetes, cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: Q0E=}}]
users: [{name: kubernetes-admin, user: {client-key-data: S0VZ}}]
contexts: [{name: kubernetes-admin@kubernetes, context: {cluster: kubernetes, user: kubernetes-admin}}]
current-context: kubernetes-admin@kubernetes
preferences: {}
"""
OTHERS = """
apiVersion: v1
kind: Config
clusters: [{name: theirs, cluster: {server: "https://other"}}, {name: mine, cluster: {server: "https://old"}}]
users: [{name: theirs, user: {token: t}}]
contexts: [{name: theirs, context: {cluster: theirs, user: theirs, namespace: n}}]
current-context: theirs
extensions: [{name: e}]
"""


def names(document: dict[str, Any], key: str) -> list[str]:
    return [entry["name"] for entry in document[key]]


def test_all_is_called_after_the_cluster() -> None:
    new = kubeconfig.renamed(ADMIN_CONF, "mine")
    assert (names(new, "clusters"), names(new, "users")) == (["mine"], ["mine-admin"])
    assert new["contexts"] == [{"name": "mine", "context": {"cluster": "mine", "user": "mine-admin"}}]
    assert new["clusters"][0]["cluster"]["server"] == "https://10.0.0.1:6443"


def test_the_server_may_be_another_one_from_here() -> None:
    new = kubeconfig.renamed(ADMIN_CONF, "mine", "https://vip:6443")
    cluster = new["clusters"][0]["cluster"]
    assert cluster == {"server": "https://vip:6443", "certificate-authority-data": "Q0E="}


def test_others_entries_stay_and_ours_is_replaced(tmp_path: Path) -> None:
    document = kubeconfig.merged(OTHERS, kubeconfig.renamed(ADMIN_CONF, "mine"), tmp_path, switch=True)
    assert names(document, "clusters") == ["theirs", "mine"]
    assert document["clusters"][1]["cluster"]["server"] == "https://10.0.0.1:6443"
    assert document["contexts"][0]["context"]["namespace"] == "n"
    assert document["extensions"] == [{"name": "e"}]
    assert document["current-context"] == "mine"


def test_the_current_context_stays_on_request(tmp_path: Path) -> None:
    new = kubeconfig.renamed(ADMIN_CONF, "mine")
    assert kubeconfig.merged(OTHERS, new, tmp_path, switch=False)["current-context"] == "theirs"
    assert kubeconfig.merged("", new, tmp_path, switch=False)["current-context"] == "mine"


@pytest.mark.parametrize("text", ["a: [", "- list", "clusters: {a: b}"])
def test_a_file_that_is_no_kubeconfig_is_not_overwritten(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        kubeconfig.merged(text, kubeconfig.renamed(ADMIN_CONF, "mine"), tmp_path / "config", switch=True)
    assert "config" in error.value.reason


def test_no_admin_conf_is_told() -> None:
    with pytest.raises(UsageError, match="no cluster"):
        kubeconfig.renamed("{}", "mine")


def test_it_is_written_for_its_owner_alone_through_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("old")
    real.chmod(0o644)
    (tmp_path / "link").symlink_to(real)
    kubeconfig.write({"a": 1}, tmp_path / "link")
    assert yaml.safe_load(real.read_text()) == {"a": 1}
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        kubeconfig.write({}, tmp_path / "file" / "config")


def test_the_default_is_where_kubectl_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", f":{tmp_path}/a:{tmp_path}/b")
    assert kubeconfig.default_path() == tmp_path / "a"
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kubeconfig.default_path() == tmp_path / ".kube/config"
