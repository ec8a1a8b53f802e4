"""``python -m installer.artifacts 3.11 x86_64``: pycri's archive, as variables for ``ansible-playbook -e
@-``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from installer.artifacts import build_pycri_archive
from installer.cluster.state import artifact_cache_dir
from installer.errors import NodestrapError


def main() -> int:
    """Build it and print ``{"pycri_artifact": ...}``; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m installer.artifacts", description=__doc__)
    parser.add_argument("python", help="the hosts' Python, as 3.11")
    parser.add_argument("machine", help="the hosts' machine, as uname -m says: x86_64 or aarch64")
    parser.add_argument("--cache", type=Path, default=artifact_cache_dir(), help="default: %(default)s")
    options = parser.parse_args()
    try:
        archive = build_pycri_archive(options.python, options.machine, options.cache)
    except NodestrapError as error:
        print(error.render(), file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(json.dumps({"pycri_artifact": archive.as_variable()}, indent=2))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
