from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.cluster.variables import Specs, known_variables, problems

_SPECS: Specs = {
    "thing_source": {"type": "str", "choices": ["distro", "upstream"]},
    "thing_count": {"type": "int"},
    "thing_enabled": {"type": "bool"},
    "thing_ratio": {"type": "float"},
    "thing_names": {"type": "list", "elements": "str"},
    "thing_artifact": {"type": "dict", "options": {"path": {"type": "path", "required": True}}},
    "thing_key": {"type": "int", "no_log": True},
}


def _problems(**values: Any) -> list[str]:
    return list(problems(values, _SPECS, frozenset({"my_own"})))


def test_right_values_have_no_problem() -> None:
    right = {
        "thing_source": "distro",
        "thing_count": "3",
        "thing_enabled": "yes",
        "thing_ratio": 0.5,
        "thing_names": ["a", "b"],
        "thing_artifact": {"path": "/x"},
        "my_own": object(),
        "ansible_host": "10.0.0.1",
    }
    assert _problems(**right) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("thing_sorce", "distro", "unknown variable 'thing_sorce'. Did you mean 'thing_source'?"),
        ("ansible_hots", "x", "Did you mean 'ansible_host'"),
        ("entirely_else", "x", "List it in nodestrap_local_variables"),
        ("thing_source", "distor", "must be one of distro, upstream, not 'distor'. Did you mean 'distro'?"),
        ("thing_count", "three", "thing_count must be a whole number, not 'three'"),
        ("thing_count", True, "must be a whole number"),
        ("thing_enabled", "maybe", "must be true or false"),
        ("thing_names", "a,b", "must be a list"),
        ("thing_names", [{"a": 1}], "thing_names[0] must be a string"),
        ("thing_artifact", {"pth": "/x"}, "unknown key 'pth' in thing_artifact. Did you mean 'path'?"),
        ("thing_artifact", {}, "needs the key 'path'"),
    ],
)
def test_wrong_values(name: str, value: Any, said: str) -> None:
    assert any(said in problem for problem in _problems(**{name: value})), _problems(**{name: value})


def test_secret_values_are_not_repeated() -> None:
    assert "hunter2" not in "".join(_problems(thing_key="hunter2"))


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*_SPECS, "ansible_host", "unheard_of"]), _values))
def test_any_value_is_judged_without_a_crash(values: dict[str, Any]) -> None:
    for problem in problems(values, _SPECS, frozenset()):
        assert any(name in problem for name in values)


def test_roles_are_the_source_of_what_is_known() -> None:
    known = known_variables()
    assert "nodestrap_known_hosts_file" in known
    assert "containerd_source" in known, "roles/containerd/meta/argument_specs.yml"
    assert list(problems({"containerd_sorce": "distro"}, known, frozenset())) == [
        "unknown variable 'containerd_sorce'. Did you mean 'containerd_source'?"
    ]
