"""What plan, reset, join and remove refuse before anything is contacted."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from installer.cli import VERBS, run
from installer.cluster.inventory import read_cluster
from installer.commands import join
from installer.commands._choose import only
from installer.errors import InventoryError, UsageError
from installer.lock import cluster_lock
from tests.unit.installer.hosts import cluster, host

HASH = f"sha256:{'a' * 64}"
TOKEN = "abcdef.0123456789abcdef"


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("NODESTRAP_JOIN_TOKEN", raising=False)
    path = tmp_path / "hosts.yml"
    path.write_text("nodes: {children: {control_plane: {hosts: {cp1: }}, workers: {hosts: {w1: }}}}\n")
    return path


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run([*words, "--json"]) == 2
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize("verb", ["plan", "reset", "join", "remove", "status", "kubeconfig"])
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert "--inventory" in said
    assert verb in VERBS


@pytest.mark.parametrize("words", [("reset",), ("remove", "w1")])
def test_nothing_is_destroyed_unasked(
    words: tuple[str, ...], inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--yes" in refusal(capsys, *words, "-i", str(inventory))["fix"]


def test_a_host_that_the_inventory_lacks_is_refused(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "'w2'" in refusal(capsys, "join", "w2", "-i", str(inventory))["reason"]


def test_the_last_control_plane_is_not_removed(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = refusal(capsys, "remove", "cp1", "-i", str(inventory), "--yes")
    assert "nodestrap reset" in refused["fix"]


def test_hosts_are_chosen_once_each_and_in_order(tmp_path: Path) -> None:
    spec = cluster(host("a"), host("b"), host("c"), state_dir=tmp_path)
    assert [each.name for each in only(["c", "a", "c"])(spec).hosts] == ["c", "a"]
    with pytest.raises(InventoryError, match="no host 'd'"):
        only(["d"])(spec)


def test_no_option_means_this_inventorys_cluster() -> None:
    assert join._access(None, None, (), None, None) is None


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ((TOKEN, None, (HASH,), None, None), "--endpoint"),
        ((TOKEN, "10.0.0.1:6443", (), None, None), "--ca-cert-hash"),
        ((None, "10.0.0.1:6443", (HASH,), None, None), "--token"),
    ],
)
def test_half_a_way_in_is_refused(arguments: Any, missing: str) -> None:
    with pytest.raises(UsageError, match=missing):
        join._access(*arguments)


def test_token_endpoint_and_hash_are_a_way_in() -> None:
    access = join._access(TOKEN, "10.0.0.1:6443", (HASH,), None, None)
    assert access is not None
    assert (access.discovery.endpoint, access.discovery.ca_cert_hashes) == ("10.0.0.1:6443", (HASH,))
    assert TOKEN not in repr(access)


def certificate() -> bytes:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")]),
    )
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def discovery_file(token: str | None = None) -> str:
    cluster = {
        "server": "https://x:6443",
        "certificate-authority-data": base64.b64encode(certificate()).decode(),
    }
    users = [{"name": "", "user": {"token": token}}] if token else []
    return json.dumps({"kind": "Config", "clusters": [{"name": "", "cluster": cluster}], "users": users})


def test_a_discovery_file_may_hold_the_token() -> None:
    access = join._access(None, None, (), discovery_file(TOKEN), None)
    assert access is not None
    assert access.secrets.token == TOKEN
    assert access.discovery.file == "/run/nodestrap-discovery.conf"
    assert access.discovery.ca_cert_hashes[0].startswith("sha256:")
    with pytest.raises(UsageError, match="--token"):
        join._access(None, None, (), discovery_file(), None)


@pytest.mark.parametrize("text", ["", "{}", "a: [", '{"clusters": [{"cluster": {}}]}'])
def test_what_is_no_discovery_file_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no kubeconfig with a CA"):
        join.read_discovery(text)


def test_a_control_plane_needs_the_certificate_key_too(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--token", TOKEN, "--endpoint", "10.0.0.1:6443", "--ca-cert-hash", HASH)
    assert "--certificate-key" in refusal(capsys, "join", "cp1", "-i", str(inventory), *words)["reason"]


@pytest.mark.parametrize(
    "words",
    [("plan",), ("reset", "--yes"), ("join", "w1"), ("remove", "w1", "--yes")],
    ids=lambda words: words[0],
)
def test_a_second_operator_is_kept_out(
    words: tuple[str, ...], inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with cluster_lock(read_cluster([str(inventory)]).state_dir):
        assert run([words[0], "-i", str(inventory), *words[1:], "--json"]) == 11
    assert "is at work on the cluster" in json.loads(capsys.readouterr().out)["reason"]
