"""tests/cri_fields.yml has every RPC and every field, and what it names exists and is about it."""

from __future__ import annotations

import re

import pytest

from tests.support import cri_fields

RPCS, FIELDS = cri_fields.load()
ALL = [f"{name}.{field.name}" for name, message in cri_fields.requests().items() for field in message.fields]


def entry(name: str) -> cri_fields.Entry | None:
    return FIELDS.get(name) or FIELDS.get(f"{name.partition('.')[0]}.*")


def test_every_field_of_every_request_is_in_the_table_and_nothing_else() -> None:
    assert len(ALL) > 220
    assert [name for name in ALL if entry(name) is None] == []
    messages = cri_fields.requests()
    for name in FIELDS:
        message, _, field = name.partition(".")
        assert message in messages, f"{name}: no request has such a message"
        assert field == "*" or name in ALL, f"{name}: there is no such field"


def test_every_rpc_is_in_the_table_and_nothing_else() -> None:
    assert sorted(RPCS) == sorted(method.name for method in cri_fields.methods())
    assert len(RPCS) == 35 + 6


@pytest.mark.parametrize("name", sorted({test for tests in RPCS.values() for test in tests}))
def test_the_test_of_an_rpc_exists(name: str) -> None:
    assert cri_fields.source_of(name)


@pytest.mark.parametrize("name", ALL)
def test_a_fields_tests_exist_and_name_it(name: str) -> None:
    found = entry(name)
    assert found is not None
    field = name.partition(".")[2]
    texts = []
    for test in found.by:
        source = cri_fields.source_of(test)
        if found.kind == "refused":
            assert re.search(r"pytest\.raises\(", source), f"{test} sees no refusal"
        texts.append(cri_fields.text_around(test))
    if f"{name.partition('.')[0]}.*" not in FIELDS:
        assert any(re.search(rf"\b{field}\b", text) for text in texts), f"none of {found.by} names {field}"


def test_a_missing_test_is_noticed() -> None:
    for name in ("pod.none", "unit/none.py::test_x", "unit/pycri/test_cri_fields.py::test_none"):
        with pytest.raises(ValueError, match="there is no"):
            cri_fields.source_of(name)


def test_the_document_is_made_from_the_table() -> None:
    assert cri_fields.DOCUMENT.read_text() == cri_fields.document(), "run: python -m tests.support.cri_fields"
