"""The command line: verbs, exit codes, and what the endpoint's failures look like."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from pycri import cli
from pycri._generated import cri_pb2 as cri
from pycri.ctl.cli import ALIASES, VERBS, main, seconds
from pycri.ctl.stubs import V1ALPHA2
from tests.support.fake_cri import FakeCri
from tests.unit.pycri.ctl.conftest import Run

Serve = Callable[..., FakeCri]
# What scripts and fingers know, by verb.
FLAGS = {
    "attach": "-i --stdin -t --tty -r --transport --tls-ca --tls-cert --tls-key --tls-sni",
    "checkpoint": "-e --export",
    "config": "--get --set --list",
    "create": ("--no-pull --with-pull --creds --auth --username -T --cancel-timeout -pt --pull-timeout"),
    "events": "-o --output",
    "exec": (
        "-s --sync --timeout -t --tty -i --interactive -r --transport --name -p --pod "
        "--image --state --label -l --latest -n --last -q --quiet -e --ignore-errors -x "
        "--parallel"
    ),
    "imagefsinfo": "-o --output",
    "images": "-v --verbose -q --quiet -f --filter -o --output --digests --no-trunc --pinned",
    "info": "-o --output -q --quiet",
    "inspect": (
        "-o --output -q --quiet --name --namespace -p --pod --image -s --state --label -l "
        "--latest -n --last -a"
    ),
    "inspecti": "-o --output -q --quiet --name -f --filter",
    "inspectp": ("-o --output -q --quiet --name --namespace -s --state --label -l --latest -n --last"),
    "logs": (
        "-f --follow -p --previous -r --reopen --tail --limit-bytes --since -t --timestamps -s --stream"
    ),
    "pods": (
        "--id --name --namespace -s --state --label -v --verbose -q --quiet -o --output "
        "-l --latest -n --last --no-trunc"
    ),
    "port-forward": "-r --transport --tls-ca",
    "ps": (
        "-v --verbose --id --name -p --pod --image -s --state --label -q --quiet -o "
        "--output -a --all -l --latest -n --last --no-trunc -r --resolve-image-path "
        "--namespace"
    ),
    "pull": "--creds --auth -u --username --pod-config -a --annotation -pt --pull-timeout",
    "rm": "-f --force -k --keep-logs -a --all",
    "rmi": "-a --all -q --prune",
    "rmp": "-f --force -a --all",
    "run": (
        "--no-pull --with-pull --creds --auth --username -r --runtime -T --cancel-timeout -pt --pull-timeout"
    ),
    "runp": "-r --runtime -T --cancel-timeout",
    "stats": "-a --all --id -p --pod --label -o --output -s --seconds -w --watch",
    "statsp": "--id --label -o --output -s --seconds -w --watch",
    "stop": "-t --timeout -a --all",
    "update": ("--cpu-period --cpu-quota --cpu-share --memory --cpuset-cpus --cpuset-mems --oom-score-adj"),
    "update-runtime-config": "-p --pod-cidr",
}


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_file_and_flags(verb: str, run: Run) -> None:
    module = importlib.import_module(f"pycri.ctl.verbs.{verb.replace('-', '_')}")
    parser = ArgumentParser(allow_abbrev=False)
    module.options(parser)
    known = set(parser._option_string_actions)
    assert set(FLAGS.get(verb, "").split()) <= known
    done = run(verb, "--help")
    assert (done.code, done.err) == (0, "")
    assert module.__doc__.split(".")[0].split(",")[0].split()[0] in done.out


def test_help_lists_every_verb(run: Run) -> None:
    for arguments in (("--help",), ("help",), ()):
        done = run(*arguments)
        assert done.code == 0
        assert all(f"  {verb} " in done.out for verb in VERBS)


def test_aliases_name_verbs() -> None:
    assert set(ALIASES.values()) <= set(VERBS)


def test_the_version_says_whose_commands_these_are(run: Run) -> None:
    assert run("--version").out.startswith("crictl version 1.36.0 (pycri ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("pods", "--nonsense"),
        ("pods", "--state", "odd"),
        ("pods", "--name", "("),
        ("pods", "--label", "no-value"),
        ("pods", "-o", "xml"),
        ("info", "-o", "go-template"),
        ("stopp",),
        ("rm",),
        ("rmi",),
        ("rmp",),
        ("stop",),
        ("stop", "-a", "id"),
        ("exec", "id"),
        ("config",),
        ("config", "timeout", "soon"),
        ("pull", "--creds", "a:b", "--auth", "eA==", "image"),
        ("logs", "--tail", "1", "--stream", "stdout", "id"),
        ("logs", "--since", "yesterday", "id"),
        ("port-forward", "pod", "80:http"),
        ("-t", "soon", "pods"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_before_anything_is_asked(arguments: tuple[str, ...], run: Run) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "crictl" in done.err


def test_an_endpoint_that_is_not_there(run: Run, tmp_path: Path) -> None:
    done = run("pods")
    assert (done.code, done.out) == (1, "")
    assert f"nothing answers at unix://{tmp_path}/cri.sock" in done.err


def test_a_refusal_names_the_call(run: Run, serve: Serve) -> None:
    serve({"ListPodSandbox": grpc.StatusCode.INTERNAL})
    done = run("pods")
    assert (done.code, done.err) == (1, "crictl pods: ListPodSandbox: INTERNAL: ListPodSandbox is refused\n")


def test_an_endpoint_of_the_older_api(run: Run, serve: Serve) -> None:
    answers = {
        "Version": cri.VersionResponse(version="0.1.0"),
        "ListPodSandbox": cri.ListPodSandboxResponse(),
    }
    serve(answers, api=V1ALPHA2)
    assert run("pods", "-q") == run("pods", "-q")
    assert run("pods").out.startswith("POD ID")


def test_a_method_that_the_endpoint_lacks(run: Run, serve: Serve) -> None:
    serve({"Version": cri.VersionResponse(version="0.1.0")})
    done = run("runtime-config")
    assert done.code == 1
    assert "RuntimeConfig: UNIMPLEMENTED" in done.err


def test_one_failure_does_not_spare_the_others(run: Run, serve: Serve) -> None:
    def status(request: cri.PodSandboxStatusRequest) -> cri.PodSandboxStatusResponse:
        state = cri.SANDBOX_READY if request.pod_sandbox_id == "a" else cri.SANDBOX_NOTREADY
        return cri.PodSandboxStatusResponse(status=cri.PodSandboxStatus(state=state))

    fake = serve({"PodSandboxStatus": status, "RemovePodSandbox": cri.RemovePodSandboxResponse()})
    done = run("rmp", "a", "b")
    assert (done.code, done.out) == (1, "Removed sandbox b\n")
    assert done.err == "crictl rmp: a: it is running: stop it first, or use --force\n"
    assert [request.pod_sandbox_id for request in fake.requests("RemovePodSandbox")] == ["b"]


def test_under_the_name_crictl_the_program_is_ctl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/crictl", "completion"])
    assert cli.main() == 0
    assert "complete -o default -F _crictl crictl" in capsys.readouterr().out
    assert cli.main(["ctl", "completion", "fish"]) == 0
    assert "-a port-forward" in capsys.readouterr().out


def test_times() -> None:
    assert [seconds(text) for text in ("10s", "1m30s", "3", "0.5", "-1")] == [10.0, 90.0, 3.0, 0.5, 0.0]


def test_a_reader_that_has_left_is_no_failure_to_explain(serve: Serve, tmp_path: Path) -> None:
    image = cri.Image(id="sha256:" + "0" * 64, repo_tags=[f"example.org/image:{n}" for n in range(5000)])
    serve({"ListImages": cri.ListImagesResponse(images=[image])})
    program = [sys.executable, "-c", "import sys; from pycri.cli import main; sys.exit(main(sys.argv[1:]))"]
    command = [*program, "ctl", "-r", f"{tmp_path}/cri.sock", "images"]
    # unbuffered, Python would lose what a pipe does not take at once, and never learn that nobody reads
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 1


def test_main_takes_a_program_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"], "pycri ctl")
    assert "crictl version" in capsys.readouterr().out
