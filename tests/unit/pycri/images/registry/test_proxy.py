from __future__ import annotations

import pytest

from pycri.images.registry.proxy import proxy_for

BOTH = {"HTTPS_PROXY": "http://proxy:3128", "http_proxy": "plain:3128"}


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxy"),
    [
        ("https://reg.example/v2", "", "http://proxy:3128"),
        ("http://reg.example/v2", "", "http://plain:3128"),
        ("https://reg.example/v2", "reg.example", ""),
        ("https://sub.reg.example/v2", "reg.example", ""),
        ("https://sub.reg.example/v2", ".reg.example", ""),
        ("https://sub.reg.example/v2", "*.reg.example", ""),
        ("https://notreg.example/v2", "reg.example", "http://proxy:3128"),
        ("https://reg.example:5000/v2", "reg.example:5000", ""),
        ("https://reg.example:5001/v2", "reg.example:5000", "http://proxy:3128"),
        ("https://10.1.2.3/v2", "10.0.0.0/8, other", ""),
        ("https://11.1.2.3/v2", "10.0.0.0/8", "http://proxy:3128"),
        ("https://10.1.2.3/v2", "bad/cidr,10.1.2.3", ""),
        ("https://reg.example/v2", "*", ""),
        ("https://localhost:5000/v2", "", ""),
        ("http://127.0.0.2:5000/v2", "", ""),
        ("http://[::1]:5000/v2", "", ""),
    ],
)
def test_proxy_of_a_url(url: str, no_proxy: str, proxy: str) -> None:
    assert proxy_for(url, {**BOTH, "NO_PROXY": no_proxy}) == proxy


def test_no_proxy_without_the_variables() -> None:
    assert proxy_for("https://reg.example", {}) == ""
