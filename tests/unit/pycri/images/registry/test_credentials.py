from __future__ import annotations

import base64

import pytest

from pycri._generated.cri_pb2 import AuthConfig
from pycri.errors import InvalidArgument
from pycri.images.registry.credentials import Credentials, from_cri, from_header

PAIR = base64.b64encode(b"me:pa:ss").decode()


@pytest.mark.parametrize(
    ("auth", "found"),
    [
        ({}, None),
        ({"username": "me", "password": "x"}, Credentials("", "me", "x")),
        ({"auth": PAIR}, Credentials("", "me", "pa:ss")),
        ({"auth": base64.b64encode(b"me:x\0\0").decode()}, Credentials("", "me", "x")),
        ({"identity_token": "t"}, Credentials("", identity_token="t")),
        ({"registry_token": "t"}, Credentials("", registry_token="t")),
    ],
)
def test_every_form_of_a_pull_secret(auth: dict[str, str], found: Credentials | None) -> None:
    assert from_cri(AuthConfig(**auth), "reg.example") == found


@pytest.mark.parametrize(
    ("server", "registry", "meant"),
    [
        ("reg.example", "reg.example", True),
        ("https://reg.example/v2/", "reg.example", True),
        ("https://REG.example", "reg.example", True),
        ("https://index.docker.io/v1/", "docker.io", True),
        ("registry-1.docker.io", "docker.io", True),
        ("reg.example:5000", "reg.example", False),
        ("reg.example", "evil.example", False),
        ("https://reg.example.evil.example", "reg.example", False),
        ("https://reg.example@evil.example", "reg.example", False),
        ("docker.io", "reg.example", False),
    ],
)
def test_credentials_are_for_the_server_they_name(server: str, registry: str, meant: bool) -> None:
    auth = AuthConfig(username="me", password="x", server_address=server)
    assert (from_cri(auth, registry) is not None) is meant


@pytest.mark.parametrize(
    "auth", ["%%%", base64.b64encode(b"no colon").decode(), base64.b64encode(b"\xff:").decode()]
)
def test_unreadable_pull_secret_is_refused_without_showing_it(auth: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_cri(AuthConfig(auth=auth), "reg.example")
    assert auth not in str(caught.value)


def test_secrets_are_not_in_the_repr() -> None:
    shown = repr(Credentials("s", "me", "hunter2", "hunter3", "hunter4"))
    assert "hunter" not in shown


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f"Basic {PAIR}", Credentials("", "me", "pa:ss")),
        (f"basic  {PAIR}", Credentials("", "me", "pa:ss")),
        ("Bearer abc", None),
        ("Basic !!!", None),
        ("Basic " + base64.b64encode(b"nocolon").decode(), None),
        ("", None),
    ],
)
def test_credentials_of_the_node_out_of_a_header(value: str, found: Credentials | None) -> None:
    assert from_header({"X-Other": "1", "Authorization": value}) == found
