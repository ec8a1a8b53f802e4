"""What a registry asks for: the options of pull, create and run, and the CRI's AuthConfig."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.errors import CtlError


def add_credentials(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("--creds", default=os.environ.get("CRICTL_CREDS"), metavar="USER[:PASSWORD]")
    parser.add_argument(
        "--auth", default=os.environ.get("CRICTL_AUTH"), metavar="BASE64", help="USER[:PASSWORD] in base64"
    )
    parser.add_argument("-u", "--username", metavar="USER", help="the password is asked for")


def credentials(chosen: Namespace) -> cri.AuthConfig | None:
    """None where nothing was given. Raises CtlError: both forms at once, or half of one."""
    if chosen.username:
        import getpass

        return cri.AuthConfig(username=chosen.username, password=getpass.getpass("Enter Password:"))
    if chosen.creds and chosen.auth:
        raise CtlError("--creds and --auth exclude each other", code=2)
    if chosen.creds:
        user, _, password = chosen.creds.partition(":")
        if not user:
            raise CtlError("--creds has no user before the colon", code=2)
        return cri.AuthConfig(username=user, password=password)
    return cri.AuthConfig(auth=chosen.auth) if chosen.auth else None
