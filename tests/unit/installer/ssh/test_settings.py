from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from installer.errors import InventoryError
from installer.ssh.settings import connection_settings


def test_defaults_are_openssh_own() -> None:
    settings = connection_settings("node1", {})
    assert settings.address == "node1"
    assert (settings.port, settings.user, settings.private_key_file, settings.ssh_args) == (
        None,
        None,
        None,
        (),
    )
    assert settings.become


def test_every_spelling_that_ansible_knows() -> None:
    settings = connection_settings(
        "node1",
        {
            "ansible_ssh_host": "10.0.0.1",
            "ansible_ssh_port": "2222",
            "ansible_ssh_user": "admin",
            "ansible_private_key_file": "~/key",
            "ansible_ssh_pass": "p",
            "ansible_become_pass": "b",
            "ansible_become": "no",
            "ansible_ssh_common_args": "-o ProxyJump=bastion",
            "ansible_ssh_extra_args": "-o 'User Name=x'",
            "ansible_python_interpreter": "auto_silent",
        },
    )
    assert (settings.address, settings.port, settings.user) == ("10.0.0.1", 2222, "admin")
    assert settings.private_key_file == Path.home() / "key"
    assert (settings.password, settings.become_password, settings.become) == ("p", "b", False)
    assert settings.ssh_args == ("-o", "ProxyJump=bastion", "-o", "User Name=x")
    assert settings.python is None


def test_secrets_are_not_in_the_repr() -> None:
    settings = connection_settings("n", {"ansible_password": "hunter2", "ansible_become_password": "hunter3"})
    assert "hunter" not in repr(settings)


@given(st.one_of(st.none(), st.integers(), st.text(), st.floats(), st.booleans()))
def test_any_port_is_a_port_or_an_inventory_error(value: Any) -> None:
    try:
        port = connection_settings("n", {"ansible_port": value}).port
    except InventoryError:
        return
    assert port is None or 0 < port < 65536
