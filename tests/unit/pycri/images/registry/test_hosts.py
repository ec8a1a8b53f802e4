from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri.errors import FailedPrecondition
from pycri.images.registry.hosts import Host, default_url, hosts_for


def write(directory: Path, host: str, text: str) -> Path:
    (directory / host).mkdir(parents=True)
    path = directory / host / "hosts.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("registry", "url"),
    [
        ("docker.io", "https://registry-1.docker.io/v2"),
        ("reg.example", "https://reg.example/v2"),
        ("reg.example:5000", "https://reg.example:5000/v2"),
        ("localhost:5000", "http://localhost:5000/v2"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/v2"),
        ("[::1]:5000", "http://[::1]:5000/v2"),
        ("localhost:443", "https://localhost:443/v2"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000/v2"),
    ],
)
def test_registry_without_configuration(registry: str, url: str, tmp_path: Path) -> None:
    assert hosts_for(registry, tmp_path / "absent") == [Host(url, is_registry=True)]


def test_mirrors_come_first_in_their_order_with_their_settings(tmp_path: Path) -> None:
    write(
        tmp_path,
        "docker.io",
        """
server = "https://registry-1.docker.io"
skip_verify = false

[host."https://z.example"]
  capabilities = ["pull"]
  ca = ["z.crt", "/etc/ssl/y.crt"]
  client = [["z.cert", "z.key"], "both.pem"]
  [host."https://z.example".header]
    x-token = ["a", "b"]
[host."http://a.example:5000/prefix"]
  skip_verify = true
  dial_timeout = "1s"
[host."https://b.example/own/path"]
  override_path = true
""",
    )
    own = tmp_path / "docker.io"
    assert hosts_for("docker.io", tmp_path) == [
        Host(
            "https://z.example/v2",
            can_resolve=False,
            ca=(own / "z.crt", Path("/etc/ssl/y.crt")),
            client=((own / "z.cert", own / "z.key"), (own / "both.pem", None)),
            header={"x-token": "a, b"},
        ),
        Host("http://a.example:5000/prefix/v2", skip_verify=True),
        Host("https://b.example/own/path"),
        Host("https://registry-1.docker.io/v2", is_registry=True),
    ]


def test_default_directory_and_port_spelling(tmp_path: Path) -> None:
    write(tmp_path, "_default", '[host."https://mirror.example"]')
    write(tmp_path, "reg.example_5000_", 'server = "http://reg.example:5000"')
    assert [host.url for host in hosts_for("other.example", tmp_path)] == [
        "https://mirror.example/v2",
        "https://other.example/v2",
    ]
    assert [host.url for host in hosts_for("reg.example:5000", tmp_path)] == ["http://reg.example:5000/v2"]


def test_registry_listed_as_a_host_is_not_asked_twice_and_stays_the_registry(tmp_path: Path) -> None:
    write(tmp_path, "reg.example", '[host."https://reg.example"]\n  capabilities = ["pull", "resolve"]')
    assert hosts_for("reg.example", tmp_path) == [Host("https://reg.example/v2", is_registry=True)]


def test_certificates_in_dockers_layout(tmp_path: Path) -> None:
    place = tmp_path / "reg.example"
    place.mkdir()
    for name in ("ca.crt", "client.cert", "client.key"):
        (place / name).touch()
    assert hosts_for("reg.example", tmp_path) == [
        Host(
            "https://reg.example/v2",
            is_registry=True,
            ca=(place / "ca.crt",),
            client=((place / "client.cert", place / "client.key"),),
        )
    ]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("server = ", 1, "not valid TOML"),
        ("\n\nx = 1", 3, 'unknown key "x"'),
        ('server = "https://a"\n[host."https://b"]\n  skip_verify = "yes"', 3, "true or false"),
        ('skip_verify = true\n[host."https://b"]\n  skip_verify = 1', 3, "true or false"),
        ('[host."https://b"]\ncapabilities = ["pul"]', 2, '"pul" is not a capability'),
        ('[host."ftp://b"]', 1, "not an http or https URL"),
        ('\n[host."https://me:pw@b"]', 2, "credentials"),
        ('server = "https://b?x=1"', 1, "not an http or https URL"),
        ('[host."https://b"]\nca = 7', 2, "string or a list"),
        ('[host."https://b"]\nclient = [["a", "b", "c"]]', 2, "pairs"),
        ('[host."https://b"]\n[host."https://b".header]\n"a b" = "c"', 3, "HTTP header"),
        ('[host."https://b"]\n[host."https://b".header]\na = "c\\r\\nd: e"', 3, "HTTP header"),
        ("host = 1", 1, "expected sections"),
        ("server = 1", 1, "expected a URL"),
    ],
)
def test_mistakes_are_named_with_file_and_line(text: str, line: int, why: str, tmp_path: Path) -> None:
    path = write(tmp_path, "reg.example", text)
    with pytest.raises(FailedPrecondition) as caught:
        hosts_for("reg.example", tmp_path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert why in str(caught.value)


@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            ["server", " = ", '"https://a"', "\n", '[host."https://b"]', "ca", "[", "]", '"x"', "header"]
        ),
        max_size=12,
    ).map("".join)
)
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    directory = tmp_path_factory.mktemp("certs")
    (directory / "reg.example").mkdir()
    (directory / "reg.example" / "hosts.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        hosts = hosts_for("reg.example", directory)
    except FailedPrecondition:
        return
    assert hosts
    assert any(host.is_registry for host in hosts)


def test_default_url_of_a_host_that_only_looks_like_loopback() -> None:
    assert default_url("localhost.evil.example").startswith("https://")
    assert default_url("127.0.0.1.evil.example").startswith("https://")
