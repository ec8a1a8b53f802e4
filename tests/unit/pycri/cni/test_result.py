"""pycri/cni/result.py: results of versions 0.3.0 to 1.1."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri.cni import result


def test_addresses_of_the_pods_interface_in_order():
    found = result.parse(
        json.dumps(
            {
                "cniVersion": "0.4.0",
                "interfaces": [{"name": "br0"}, {"name": "eth0", "sandbox": "/run/netns/x"}],
                "ips": [
                    {"version": "6", "address": "fd00::2/64", "interface": 1},
                    {"version": "4", "address": "10.0.0.2/16", "interface": 1},
                    {"version": "4", "address": "10.0.0.1/16", "interface": 0},
                ],
            }
        )
    )
    assert found.ips == ("fd00::2", "10.0.0.2")


def test_an_address_without_interface_is_the_pods():
    assert result.parse('{"ips": [{"address": "10.0.0.2/16"}]}').ips == ("10.0.0.2",)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "nope",
        '{"ip4": {}}',
        '{"ips": [{}]}',
        '{"ips": [{"address": "x"}]}',
        '{"ips": [{"address": "1.2.3.4/8", "interface": 3}]}',
    ],
)
def test_wrong_results_are_refused(text):
    with pytest.raises(ValueError):
        result.parse(text)


@given(
    st.dictionaries(
        st.sampled_from(["ips", "interfaces"]),
        st.lists(
            st.dictionaries(
                st.sampled_from(["address", "interface", "name", "sandbox"]), st.text() | st.integers()
            )
        ),
    )
)
def test_any_result_is_parsed_or_refused(document):
    with contextlib.suppress(ValueError):
        result.parse(document)
