"""Read and write the settings in /etc/crictl.yaml: --list, --get KEY, --set KEY=VALUE, or KEY VALUE."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import NamedTemporaryFile

from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError
from pycri.ctl.filters import pair
from pycri.ctl.output.table import table
from pycri.ctl.settings import DEFAULT_PATH, KEYS, FileSettings, changed, read_file


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("--get", metavar="KEY", help="show one")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE[,KEY=VALUE...]", help="change"
    )
    parser.add_argument("--list", action="store_true", help="show all")
    parser.add_argument("words", nargs="*", metavar="KEY VALUE", help="as --set")


def run(chosen: Namespace, _: Client) -> None:
    """Raises CtlError: no such key or value, or the file cannot be written."""
    path = Path(chosen.globals.config or os.environ.get("CRI_CONFIG_FILE") or DEFAULT_PATH)
    settings = read_file(path)
    if chosen.get:
        if chosen.get not in KEYS:
            raise CtlError(f"{chosen.get!r} is no setting; there are {', '.join(KEYS)}", code=2)
        print(_shown(settings, chosen.get))
        return
    if chosen.list:
        print(table([("KEY", "VALUE"), *((key, _shown(settings, key)) for key in KEYS)]), end="")
        return
    if len(chosen.words) not in (0, 2) or not (chosen.words or chosen.set):
        raise CtlError("say --list, --get KEY, --set KEY=VALUE, or KEY VALUE", code=2)
    wanted = [pair(part) for text in chosen.set for part in text.split(",")]
    for key, value in [*wanted, *([tuple(chosen.words)] if chosen.words else [])]:
        settings = changed(settings, key, value)
        _write(path, key, _shown(settings, key))


def _shown(settings: FileSettings, key: str) -> str:
    value = getattr(settings, key.replace("-", "_"))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write(path: Path, key: str, value: str) -> None:
    """Change the key's line, or add one; comments and the other lines stay."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    line = f'{key}: "{value}"' if value == "" or ":" in value else f"{key}: {value}"
    new, count = re.subn(rf"^{re.escape(key)}:.*$", lambda _: line, text, flags=re.MULTILINE)
    if not count:
        new = f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as part:
            part.write(new)
        Path(part.name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(part.name).replace(path)
    except OSError as error:
        raise CtlError(f"{path} cannot be written: {error}") from None
