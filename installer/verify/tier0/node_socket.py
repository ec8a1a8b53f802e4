"""Who may talk to the daemon."""

from __future__ import annotations

import shlex

from installer.verify.check import check, expect
from installer.verify.context import Context


@check(
    "node.socket",
    tier=0,
    title="Socket belongs to root and is closed to others",
    proves="owner and mode of the endpoint's socket: who can write to it is root on the node",
    fix="chown root:root and chmod 0660 the socket, and look at what changed it",
)
def node_socket(ctx: Context) -> str:
    path = ctx.address.removeprefix("unix://")
    found = ctx.host.run(f"stat -L -c '%u %g %a %F' -- {shlex.quote(path)}").text.split(maxsplit=3)
    owner, group, mode, kind = found[0], found[1], int(found[2], 8), found[3].strip()
    expect(kind == "socket", f"{path} is a {kind}")
    expect(owner == "0", f"{path} belongs to uid {owner}")
    expect(mode & 0o007 == 0, f"{path} has mode {mode:04o}: others may use it")
    return f"{path}: uid {owner}, gid {group}, mode {mode:04o}"
