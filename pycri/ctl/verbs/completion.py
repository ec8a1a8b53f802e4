"""Print a completion script: source <(crictl completion bash)."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri.ctl.client import Client

_GLOBAL = "--config --runtime-endpoint --image-endpoint --timeout --debug --version --help"


def options(parser: ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", nargs="?", default="bash", choices=("bash", "zsh", "fish"))


def run(chosen: Namespace, _: Client) -> None:
    """Never fails."""
    from pycri.ctl.cli import VERBS

    if chosen.shell == "bash":
        words = " ".join([*VERBS, *_GLOBAL.split()])
        body = f'COMPREPLY=($(compgen -W "{words}" -- "${{COMP_WORDS[COMP_CWORD]}}"))'
        print(f"_crictl() {{\n    {body}\n}}\ncomplete -o default -F _crictl crictl")
    elif chosen.shell == "zsh":
        verbs = "\n".join(f"    '{name}:{_quoted(what)}'" for name, what in VERBS.items())
        print(f"#compdef crictl\n_crictl() {{\n  local -a verbs\n  verbs=(\n{verbs}\n  )")
        print(f"  _describe command verbs\n  compadd -- {_GLOBAL}\n}}\ncompdef _crictl crictl")
    else:
        for name, what in VERBS.items():
            print(f"complete -c crictl -n __fish_use_subcommand -f -a {name} -d '{_quoted(what)}'")
        for flag in _GLOBAL.split():
            print(f"complete -c crictl -l {flag.removeprefix('--')}")


def _quoted(text: str) -> str:
    """For single quotes in zsh and fish."""
    return text.replace("'", "’")
