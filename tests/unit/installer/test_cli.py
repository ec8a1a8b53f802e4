from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from installer import cli
from installer.errors import LockedError
from installer.options import current


def test_help_names_every_verb_and_imports_no_heavy_module() -> None:
    script = (
        "import sys; from installer.cli import run; code = run(['--help'])\n"
        "heavy = {'ansible_runner', 'paramiko', 'rich', 'grpc', 'yaml', 'ansible'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy or code else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(verb in done.stdout for verb in cli.VERBS)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_loads_and_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([verb, "--help"]) == 0
    assert "Usage: nodestrap" in capsys.readouterr().out


def test_misspelt_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["preflihgt"]) == 2
    assert "Did you mean 'preflight'?" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nodestrap, version ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["completion", shell]) == 0
    assert "_NODESTRAP_COMPLETE" in capsys.readouterr().out


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | int]:
    """A verb ``up`` that ends as the list's only item says, or prints the options."""
    ends: list[BaseException | int] = []

    @click.command("up")
    def command() -> int:
        click.echo(repr(current()))
        end = ends[0] if ends else 0
        if isinstance(end, BaseException):
            raise end
        return end

    monkeypatch.setattr("installer.commands.up.command", command)
    return ends


@pytest.mark.parametrize(
    "arguments", [["--json", "-vv", "up"], ["up", "--json", "-vv"], ["--json", "up", "-vv"]]
)
@pytest.mark.usefixtures("verb")
def test_global_options_before_and_after_the_verb(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 0
    said = capsys.readouterr().out
    assert "json=True" in said
    assert "verbosity=2" in said


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (6, 6, ""),
        (LockedError("taken", fix="wait"), 11, "Error: taken\n  fix: wait"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("oops"), 1, "unexpected ZeroDivisionError: oops"),
    ],
)
def test_ends(
    verb: list[BaseException | int],
    end: BaseException | int,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verb.append(end)
    assert cli.run(["up"]) == code
    assert said in capsys.readouterr().err


def test_errors_as_json(verb: list[BaseException | int], capsys: pytest.CaptureFixture[str]) -> None:
    verb.append(LockedError("taken", host="node1", fix="wait"))
    assert cli.run(["up", "--json"]) == 11
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last)["reason"] == "taken"
