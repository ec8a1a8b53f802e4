"""Tables, sizes, ages, JSON and YAML."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from pycri._generated import cri_pb2 as cri
from pycri.ctl.errors import CtlError
from pycri.ctl.output import human
from pycri.ctl.output.jsonable import every_field, jsonable, set_fields
from pycri.ctl.output.show import with_info
from pycri.ctl.output.table import table
from pycri.ctl.output.yaml import yaml


def test_columns_are_twenty_wide_or_three_beyond_their_text() -> None:
    rows = [("A", "B", "C"), ("x" * 18, "y", "z" * 30)]
    assert table(rows) == f"{'A':21}{'B':20}C\n{'x' * 18:21}{'y':20}{'z' * 30}\n"
    assert table([]) == ""
    assert table([("one",)]) == "one\n"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1kB"),
        (2746000, "2.746MB"),
        (1234567890, "1.235GB"),
        (10**16, "10PB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert human.size(count) == shown


def test_sizes_of_images_have_three_digits() -> None:
    assert human.size(1037067, 3) == "1.04MB"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.9, "Less than a second"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (59 * 60 + 59, "59 minutes"),
        (3600, "About an hour"),
        (5400, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"),
        (60 * 86400, "2 months"),
        (729 * 86400, "24 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert human.duration(seconds) == shown


def test_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        moment = 1_700_000_000_250_000_000
        assert human.rfc3339(moment) == "2023-11-15T03:43:20.25+05:30"
        assert human.moment(moment) == "2023-11-15 03:43:20.25 +0530 IST"
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
        assert human.rfc3339(moment // 10**9 * 10**9) == "2023-11-14T22:13:20Z"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_json_is_protobufs_with_defaults() -> None:
    stats = cri.ContainerStats(attributes=cri.ContainerAttributes(id="a", labels={"b": "2", "a": "1"}))
    stats.cpu.usage_core_nano_seconds.value = 1 << 60
    found = jsonable(stats)
    assert list(found) == ["attributes", "cpu"]  # a message that is not set is not there
    assert found["attributes"] == {"id": "a", "labels": {"a": "1", "b": "2"}, "annotations": {}}
    assert found["cpu"] == {"timestamp": "0", "usageCoreNanoSeconds": {"value": str(1 << 60)}}
    pod = cri.PodSandbox(state=cri.SANDBOX_NOTREADY)
    assert jsonable(pod)["state"] == "SANDBOX_NOTREADY"
    assert jsonable(cri.KeyValue(key="k", value=b"\xff"))["value"] == "/w=="


def test_a_status_names_every_field_and_a_handler_only_what_is_set() -> None:
    assert every_field(cri.PodSandboxStatus())["network"] is None
    handler = cri.RuntimeHandler(name="runc")
    handler.features.recursive_read_only_mounts = True
    assert set_fields(handler) == {"name": "runc", "features": {"recursive_read_only_mounts": True}}
    assert set_fields(cri.Image(repo_tags=["a"])) == {"repo_tags": ["a"]}


def test_details_are_json_where_they_look_like_it() -> None:
    found = with_info({}, {"info": '{"a": 3.0, "b": 0.5}', "pid": '"7"'})
    assert json.dumps(found) == '{"status": {}, "info": {"a": 3, "b": 0.5}, "pid": "7"}'
    with pytest.raises(CtlError, match="'info' is no JSON"):
        with_info({}, {"info": "{"})


texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    "0123456789abcdefox.:-+_ #,'\"[]{}&*!|>%@=<y\n"
)
# PyYAML reads 1e-05 as a text, against the specification
numbers = st.integers() | st.floats(-1e6, 1e6).filter(lambda value: "e" not in repr(value))
values = st.recursive(
    st.none() | st.booleans() | numbers | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)


@settings(max_examples=300)
@given(values)
def test_any_value_can_be_read_back_from_yaml(value: Any) -> None:
    assert reference.safe_load(yaml(value)) == value


def test_yaml_that_people_read_is_not_all_quotes() -> None:
    value = {
        "args": ["sh", "-c", "echo a; exec b > c"],
        "ip": "10.1.2.3",
        "version": "1.0",
        "empty": {},
        "on": "yes",
    }
    assert yaml(value) == (
        'args:\n- sh\n- -c\n- echo a; exec b > c\nempty: {}\nip: 10.1.2.3\n"on": "yes"\nversion: "1.0"\n'
    )
