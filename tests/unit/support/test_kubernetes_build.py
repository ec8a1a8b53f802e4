from pathlib import Path

import pytest

from tests.support import kubernetes_build as build


def _package(tree: Path, path: str, line: str) -> None:
    (tree / path).mkdir(parents=True)
    (tree / path / "doc.go").write_text(f"{line}\n\npackage x\n")


def test_openapi_packages_are_named_as_they_are_imported(tmp_path: Path) -> None:
    tag = "// +k8s:openapi-gen=true"
    _package(tmp_path, "pkg/apis/abac/v0", tag)
    _package(tmp_path, "staging/src/k8s.io/api/core/v1", f"// some words\n{tag}")
    _package(tmp_path, "staging/src/k8s.io/api/none/v1", "// speaks of +k8s:openapi-gen= only")
    _package(tmp_path, "staging/src/k8s.io/sample-apiserver/pkg/apis/wardle/v1", tag)
    assert build.openapi_packages(tmp_path) == ["pkg/apis/abac/v0", "vendor/k8s.io/api/core/v1"]


def test_the_key_follows_the_inputs(tmp_path: Path) -> None:
    dsc = tmp_path / "kubernetes.dsc"
    dsc.write_text("one")
    go = [Path("/x/golang-1.15-go_1"), Path("/x/golang-1.15-src_1")]
    first = build._key("a", b"1", dsc, go)
    assert first.startswith("a-")
    assert build._key("a", b"1", dsc, go) == first
    assert build._key("a", b"2", dsc, go) != first
    assert build._key("a", b"1", dsc, [Path("/x/golang-1.15-go_2"), go[1]]) != first
    dsc.write_text("two")
    assert build._key("a", b"1", dsc, go) != first


def test_another_version_in_bookworm_is_noticed(tmp_path: Path) -> None:
    dsc = tmp_path / "kubernetes.dsc"
    dsc.write_text("Version: 1.20.5+really1.20.2-1.1+deb12u1\n")
    assert f"gitVersion=v{build.VERSION}" in build._version_flags(dsc)
    dsc.write_text("Version: 1.32.3+ds-2\n")
    with pytest.raises(build.KubernetesBuildError, match="bookworm moved on"):
        build._version_flags(dsc)


def test_what_a_killed_build_left_is_removed_and_a_finished_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "building-1" / "gopath").mkdir(parents=True)
    (tmp_path / "1.20.2-0").mkdir()
    build._clear_stale(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1.20.2-0"]


def test_a_failing_compiler_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(build.KubernetesBuildError, match="undefined: x"):
        build._run_counted(
            ["sh", "-c", "echo 'undefined: x' >&2; exit 1"], tmp_path, {"PATH": "/bin:/usr/bin"}
        )
