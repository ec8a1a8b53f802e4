from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri.errors import InvalidArgument
from pycri.images.reference import Reference, parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("team/app", "docker.io/team/app:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/team/app:v1", "docker.io/team/app:v1"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("REG.example/app", "REG.example/app:latest"),
        ("UPPER/app", "UPPER/app:latest"),  # a host, as it can be no path
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"busybox:1.36@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        ("a__b/c-d--e.f", "docker.io/a__b/c-d--e.f:latest"),
    ],
)
def test_names_are_completed_as_docker_does(text: str, complete: str) -> None:
    assert str(parse(text)) == complete


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "repository path"),
        ("a:", "is not a tag"),
        ("a:-b", "is not a tag"),
        ("a:" + "b" * 129, "is not a tag"),
        ("UPPER", "lower-case"),
        ("docker.io/Team/app", "lower-case"),
        ("a//b", "repository path"),
        ("a/../b", "repository path"),
        ("a/b\n", "repository path"),
        ("a b", "repository path"),
        ("reg.example:x/app", "registry host"),
        ("-reg.example/app", "registry host"),
        ("0123456789abcdef" * 4, "image id"),
        ("a@sha256:12", "digest"),
        ("a@md5:" + "0" * 32, "digest"),
        ("a@" + DIGEST.upper(), "digest"),
        ("a" * 256, "longer than"),
        ("https://reg.example/app", "registry host"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        parse(text)


WORD = st.text("abz09", min_size=1, max_size=4)
COMPONENT = st.builds("{}{}{}".format, WORD, st.sampled_from([".", "_", "__", "-", "---"]), WORD) | WORD
DOMAIN = st.builds("{}.{}{}".format, WORD, WORD, st.sampled_from(["", ":1", ":5000"]))
TAG = st.builds("{}{}".format, st.sampled_from("aZ0_"), st.text("aZ0_.-", max_size=20))


@given(DOMAIN, st.lists(COMPONENT, min_size=1, max_size=4), TAG)
def test_complete_references_stay_as_they_are(domain: str, path: list[str], tag: str) -> None:
    text = f"{domain}/{'/'.join(path)}:{tag}"
    if not text.startswith(("docker.io/", "index.docker.io/")):
        assert str(parse(text)) == text
        assert parse(text) == Reference(domain, "/".join(path), tag)


@given(st.text(max_size=300))
def test_any_text_is_completed_once_or_refused(text: str) -> None:
    try:
        parsed = parse(text)
    except InvalidArgument:
        return
    assert parse(str(parsed)) == parsed
    assert re.fullmatch(r"[\x21-\x7e]+", str(parsed))
