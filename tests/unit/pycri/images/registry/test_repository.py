"""Requests to registries that fail, redirect, ask for tokens, lie or break off."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pycri import errors
from pycri.images import media_types
from pycri.images.reference import Reference
from pycri.images.registry import repository as module
from pycri.images.registry.credentials import Credentials
from pycri.images.registry.endpoint import retry_after
from pycri.images.registry.errors import BadCertificate, RegistryError
from pycri.images.registry.hosts import Host
from pycri.images.registry.repository import Repository
from tests.fakes.registry import Answer, FakeRegistry, Request

MANIFEST = b'{"schemaVersion":2}'
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
TYPED = {"Content-Type": media_types.OCI_MANIFEST}
ME = Credentials("", "me", "secret")


_made: list[Repository] = []


@pytest.fixture(autouse=True)
def _impatient_and_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "_FIRST_DELAY", 0.001)
    yield
    while _made:
        _made.pop().close()


def repository(*hosts: Host, credentials: Credentials | None = None, tag: str = "v1") -> Repository:
    reference = Reference("reg.example", "team/app", tag)
    _made.append(Repository(reference, hosts, credentials, 5.0, threading.Event()))
    return _made[-1]


def host(fake: FakeRegistry, **settings: object) -> Host:
    return Host(f"{fake.url}/v2", **{"is_registry": True, **settings})  # type: ignore[arg-type]


def always(answer: Answer) -> Callable[[Request], Answer]:
    return lambda _: answer


def one_after_another(*answers: Answer) -> Callable[[Request], Answer]:
    remaining = iter(answers)
    return lambda _: next(remaining)


def test_manifest_by_tag_and_by_digest() -> None:
    with FakeRegistry(always(Answer(200, MANIFEST, TYPED))) as fake:
        pulled = repository(host(fake))
        document = pulled.resolve()
        assert document is not None
        assert (document.data, document.media_type, document.digest) == (
            MANIFEST,
            media_types.OCI_MANIFEST,
            DIGEST,
        )
        assert pulled.manifest(DIGEST) == document
        assert [r.path for r in fake.requests] == [
            "/v2/team/app/manifests/v1",
            f"/v2/team/app/manifests/{DIGEST}",
        ]
        assert media_types.OCI_INDEX in fake.requests[0].headers["accept"]
        assert "authorization" not in fake.requests[0].headers


def test_known_digest_costs_one_head() -> None:
    answer = Answer(200, MANIFEST, {**TYPED, "Docker-Content-Digest": DIGEST})
    with FakeRegistry(always(answer)) as fake:
        assert repository(host(fake)).resolve(known=DIGEST) is None
        assert repository(host(fake)).resolve(known="sha256:" + "0" * 64) is not None
        assert [r.method for r in fake.requests] == ["HEAD", "HEAD", "GET"]


def test_registry_without_head_is_asked_with_get() -> None:
    def answer(request: Request) -> Answer:
        return Answer(405) if request.method == "HEAD" else Answer(200, MANIFEST, TYPED)

    with FakeRegistry(answer) as fake:
        assert repository(host(fake)).resolve(known=DIGEST) is not None


def test_content_with_another_digest_is_refused() -> None:
    with FakeRegistry(always(Answer(200, b"{}", TYPED))) as fake:
        with pytest.raises(RegistryError, match="does not have that digest"):
            repository(host(fake)).manifest(DIGEST)
        with pytest.raises(RegistryError, match="does not have that digest"):
            repository(host(fake)).read_blob(DIGEST, 2)
        with pytest.raises(RegistryError, match="more than 1 bytes"):
            repository(host(fake)).read_blob(DIGEST, 1)


def test_manifest_of_unbounded_size_is_refused() -> None:
    with (
        FakeRegistry(always(Answer(200, b" " * (8 * 1024 * 1024 + 1), TYPED))) as fake,
        pytest.raises(RegistryError, match="more than"),
    ):
        repository(host(fake)).resolve()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_temporary_refusals_are_tried_again(status: int) -> None:
    with FakeRegistry(
        one_after_another(Answer(status), Answer(status), Answer(200, MANIFEST, TYPED))
    ) as fake:
        assert repository(host(fake)).resolve() is not None
        assert len(fake.requests) == 3


def test_retry_after_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    with FakeRegistry(
        one_after_another(Answer(429, headers={"Retry-After": "7"}), Answer(200, MANIFEST, TYPED))
    ) as fake:
        pulled = repository(host(fake))
        monkeypatch.setattr(pulled._stopped, "wait", lambda seconds: waits.append(seconds))
        pulled.resolve()
    assert waits == [7.0]


def test_retry_after_in_both_forms() -> None:
    assert retry_after("120", 0) == 120
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 10) == 50
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 100) == 0
    assert retry_after("soon", 0) is None
    assert retry_after(None, 0) is None


def test_lasting_refusals_are_not_tried_again_and_say_the_registrys_words() -> None:
    body = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no\x1b[31m such"}]}).encode()
    with FakeRegistry(always(Answer(404, body))) as fake:
        with pytest.raises(RegistryError) as caught:
            repository(host(fake)).resolve()
        assert len(fake.requests) == 1
    assert "404 Not Found: MANIFEST_UNKNOWN: no [31m such" in str(caught.value)
    assert isinstance(caught.value.to_cri("pulling x"), errors.NotFound)


@pytest.mark.parametrize(
    ("status", "kind", "start"),
    [
        (0, errors.Unavailable, "RegistryUnavailable: pulling x: words"),
        (503, errors.Unavailable, "RegistryUnavailable: pulling x: words"),
        (429, errors.Unavailable, "RegistryUnavailable: pulling x: words"),
        (401, errors.PermissionDenied, "pulling x: words; check the pull secret"),
        (403, errors.PermissionDenied, "pulling x: words"),
        (404, errors.NotFound, "pulling x: words"),
        (400, errors.Unknown, "pulling x: words"),
    ],
)
def test_errors_for_the_kubelet(status: int, kind: type[errors.PycriError], start: str) -> None:
    error = RegistryError("words", status=status).to_cri("pulling x")
    assert type(error) is kind
    assert str(error).startswith(start)


def test_nobody_listening_is_unavailable_after_a_few_attempts() -> None:
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:1") as caught:
        repository(Host("http://127.0.0.1:1/v2")).resolve()
    assert caught.value.temporary


def test_mirror_comes_first_and_the_registry_when_it_fails() -> None:
    with (
        FakeRegistry(always(Answer(500))) as mirror,
        FakeRegistry(always(Answer(200, MANIFEST, TYPED))) as upstream,
    ):
        pulled = repository(host(mirror, is_registry=False), host(upstream))
        assert pulled.resolve() is not None
        pulled.manifest(DIGEST)
        assert [r.path for r in mirror.requests] == ["/v2/team/app/manifests/v1?ns=reg.example"]
        assert len(upstream.requests) == 2  # the mirror that failed is not asked first again


def test_capabilities_say_what_a_mirror_is_asked_for() -> None:
    answer = always(Answer(200, MANIFEST, TYPED))
    with FakeRegistry(answer) as puller, FakeRegistry(answer) as resolver:
        pulled = repository(host(puller, can_resolve=False), host(resolver, can_pull=False))
        pulled.resolve()
        pulled.manifest(DIGEST)
        assert [r.path[-6:] for r in resolver.requests] == ["sts/v1"]
        assert [r.path[-6:] for r in puller.requests] == [DIGEST[-6:]]


def test_credentials_go_to_the_registry_and_never_to_a_mirror() -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}

    def protected(request: Request) -> Answer:
        if request.headers.get("authorization") == ME.basic():
            return Answer(200, MANIFEST, TYPED)
        return Answer(401, headers=challenge)

    with FakeRegistry(always(Answer(401, headers=challenge))) as mirror, FakeRegistry(protected) as upstream:
        pulled = repository(host(mirror, is_registry=False), host(upstream), credentials=ME)
        assert pulled.resolve() is not None
        assert all("authorization" not in request.headers for request in mirror.requests)
        with pytest.raises(RegistryError, match="401"):
            repository(host(upstream), credentials=Credentials("", "me", "wrong")).resolve()


def test_headers_of_hosts_toml_are_sent() -> None:
    with FakeRegistry(always(Answer(200, MANIFEST, TYPED))) as fake:
        repository(host(fake, header={"X-Team": "a"})).resolve()
        assert fake.requests[0].headers["x-team"] == "a"


class TokenRegistry:
    """Wants a bearer token that its own realm gives out."""

    def __init__(self) -> None:
        self.realm = ""
        self.valid = "t1"

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/token"):
            return Answer(200, json.dumps({"token": self.valid}).encode())
        if request.headers.get("authorization") == f"Bearer {self.valid}":
            return Answer(200, MANIFEST, TYPED)
        challenge = f'Bearer realm="{self.realm}",service="svc",scope="repository:team/app:pull"'
        return Answer(401, headers={"WWW-Authenticate": challenge})


def test_bearer_token_is_fetched_kept_and_renewed() -> None:
    registry = TokenRegistry()
    with FakeRegistry(registry) as fake:
        registry.realm = f"{fake.url}/token"
        pulled = repository(host(fake), credentials=ME)
        pulled.resolve()
        pulled.resolve()
        tokens = [r for r in fake.requests if r.path.startswith("/token")]
        assert len(tokens) == 1
        query = parse_qs(urlsplit(tokens[0].path).query)
        assert query == {"service": ["svc"], "scope": ["repository:team/app:pull"], "account": ["me"]}
        assert tokens[0].headers["authorization"] == ME.basic()
        registry.valid = "t2"  # the first has expired
        pulled.resolve()
        assert len([r for r in fake.requests if r.path.startswith("/token")]) == 2


def test_the_nodes_own_credentials_get_a_token_too() -> None:
    """Those of hosts.toml, where no pull secret came along; a pull secret goes first."""
    registry = TokenRegistry()
    node = Credentials("", "node", "secret")
    with FakeRegistry(registry) as fake:
        registry.realm = f"{fake.url}/token"
        repository(host(fake, header={"Authorization": node.basic()})).resolve()
        (asked,) = [r for r in fake.requests if r.path.startswith("/token")]
        assert asked.headers["authorization"] == node.basic()
        fake.requests.clear()
        repository(host(fake, header={"authorization": node.basic()}), credentials=ME).resolve()
        (asked,) = [r for r in fake.requests if r.path.startswith("/token")]
        assert asked.headers["authorization"] == ME.basic()


def test_anonymous_token_and_identity_token() -> None:
    registry = TokenRegistry()
    with FakeRegistry(registry) as fake:
        registry.realm = f"{fake.url}/token"
        repository(host(fake)).resolve()
        anonymous = next(r for r in fake.requests if r.path.startswith("/token"))
        assert "authorization" not in anonymous.headers
        fake.requests.clear()
        repository(host(fake), credentials=Credentials("", identity_token="refresh")).resolve()
        exchange = next(r for r in fake.requests if r.path.startswith("/token"))
        assert exchange.method == "POST"
        form = parse_qs(exchange.body.decode())
        assert form["refresh_token"] == ["refresh"]
        assert form["grant_type"] == ["refresh_token"]


def test_registry_token_is_sent_as_it_is() -> None:
    with FakeRegistry(always(Answer(200, MANIFEST, TYPED))) as fake:
        repository(host(fake), credentials=Credentials("", registry_token="rt")).resolve()
        assert fake.requests[0].headers["authorization"] == "Bearer rt"


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"token": 7}', b'{"token": "a\\nb"}', b"{" * 100])
def test_unusable_token_answers_are_refused(answer: bytes) -> None:
    registry = TokenRegistry()

    def answers(request: Request) -> Answer:
        return Answer(200, answer) if request.path.startswith("/token") else registry(request)

    with FakeRegistry(answers) as fake:
        registry.realm = f"{fake.url}/token"
        with pytest.raises(RegistryError, match="no usable token"):
            repository(host(fake)).resolve()


def test_redirect_to_another_host_gets_no_authorization() -> None:
    blob = os.urandom(100)
    with FakeRegistry(always(Answer(200, blob))) as storage:
        redirect = Answer(307, headers={"Location": f"{storage.url}/cdn?signature=secret"})

        def answer(request: Request) -> Answer:
            authorized = request.headers.get("authorization") == ME.basic()
            return redirect if authorized else Answer(401, headers={"WWW-Authenticate": "Basic realm=x"})

        with FakeRegistry(answer) as fake:
            pulled = repository(host(fake, header={"X-Own": "1"}), credentials=ME)
            stream = pulled.open_blob(DIGEST, 0)
            assert stream.read(1000) == blob
            stream.close()
        (request,) = storage.requests
        assert not {"authorization", "x-own"} & set(request.headers)


def test_redirects_end() -> None:
    with (
        FakeRegistry(always(Answer(302, headers={"Location": "/v2/again"}))) as fake,
        pytest.raises(RegistryError, match="more than 5 redirects"),
    ):
        repository(host(fake)).resolve()


def test_blob_from_an_offset() -> None:
    blob = bytes(range(200))

    def ranged(request: Request) -> Answer:
        start = int(request.headers["range"].removeprefix("bytes=").rstrip("-"))
        return Answer(206, blob[start:], {"Content-Range": f"bytes {start}-199/200"})

    with FakeRegistry(ranged) as fake:
        stream = repository(host(fake)).open_blob(DIGEST, 50)
        assert (stream.offset, stream.read(1000)) == (50, blob[50:])
        stream.close()
    with FakeRegistry(always(Answer(200, blob))) as fake:  # knows no ranges
        stream = repository(host(fake)).open_blob(DIGEST, 50)
        assert (stream.offset, stream.read(1000)) == (0, blob)
        stream.close()
    with (
        FakeRegistry(always(Answer(206, blob, {"Content-Range": "bytes 0-199/200"}))) as fake,
        pytest.raises(RegistryError, match="another range"),
    ):
        repository(host(fake)).open_blob(DIGEST, 50)


def test_blob_that_breaks_off_is_an_error_that_may_pass() -> None:
    with FakeRegistry(always(Answer(200, bytes(1000), cut_after=100))) as fake:
        stream = repository(host(fake)).open_blob(DIGEST, 0)
        with pytest.raises(RegistryError) as caught:
            list(iter(lambda: stream.read(64), b""))
        assert caught.value.temporary
        stream.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_tls_is_verified_with_the_hosts_ca_or_not_at_all(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with FakeRegistry(always(Answer(200, MANIFEST, TYPED)), tls=context) as fake:
        with pytest.raises(BadCertificate, match="TLS") as caught:
            repository(host(fake)).resolve()
        assert not caught.value.temporary
        assert repository(host(fake, ca=(certificate[0],))).resolve() is not None
        assert repository(host(fake, skip_verify=True)).resolve() is not None
        with pytest.raises(RegistryError, match=r"CA file .*absent\.pem"):
            repository(host(fake, ca=(tmp_path / "absent.pem",))).resolve()
        plain = Answer(302, headers={"Location": "http://127.0.0.1:1/"})
        fake.answer = always(plain)
        with pytest.raises(RegistryError, match="redirects from https to http"):
            repository(host(fake, ca=(certificate[0],))).resolve()
        fake.answer = always(Answer(401, headers={"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:1/t"'}))
        with pytest.raises(RegistryError, match="in clear"):
            repository(host(fake, ca=(certificate[0],)), credentials=ME).resolve()


def test_client_certificate_is_shown(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(certificate[0])
    context.verify_mode = ssl.CERT_REQUIRED
    with FakeRegistry(always(Answer(200, MANIFEST, TYPED)), tls=context) as fake:
        assert repository(host(fake, ca=(certificate[0],), client=(certificate,))).resolve() is not None


def test_urllib3_is_not_loaded_before_the_first_pull() -> None:
    script = "import pycri.images, sys; sys.exit('urllib3' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
