from __future__ import annotations

from dataclasses import replace

import pytest

from installer.errors import ArtifactError
from installer.phases.artifacts import pycri_python
from tests.unit.installer.hosts import HEALTHY, host


@pytest.mark.parametrize(
    ("os_id", "like", "version", "python"),
    [
        ("debian", (), "12", "3.11"),
        ("debian", (), "13", "3.13"),
        ("ubuntu", ("debian",), "24.04", "3.12"),
        ("rocky", ("rhel", "centos", "fedora"), "9.4", "3.11"),
        ("almalinux", ("rhel", "centos", "fedora"), "10.0", "3.12"),
    ],
)
def test_the_python_is_the_one_that_the_role_installs(
    os_id: str, like: tuple[str, ...], version: str, python: str
) -> None:
    facts = replace(HEALTHY, os_id=os_id, os_like=like, os_version=version)
    assert pycri_python(host(facts=facts)) == python


def test_the_users_choice_goes_first() -> None:
    assert pycri_python(host(pycri_python="3.14")) == "3.14"


def test_no_known_python_is_an_error_with_a_fix() -> None:
    with pytest.raises(ArtifactError, match="no Python that pycri is known to run on") as error:
        pycri_python(host(facts=replace(HEALTHY, os_version="11", os_name="Debian 11")))
    assert "pycri_python" in str(error.value.fix)
