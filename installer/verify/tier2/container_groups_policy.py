"""Whose word counts on supplementary groups: the image's too, or only the pod's."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import NotApplicable, check, expect_equal
from installer.verify.containers import security
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.groups-policy",
    tier=2,
    title="Adds the image's groups or leaves them out, as the policy says",
    proves=(
        "supplemental_groups_policy: Merge adds the memberships of the image's /etc/group, Strict does not"
    ),
    fix="StatusResponse.features.supplemental_groups_policy must say whether Strict is served",
)
def container_groups_policy(ctx: Context) -> str:
    user, group = _member(ctx)
    pod = ctx.container.pod

    def groups(policy: str, **fields: object) -> set[int]:
        linux = security(run_as_username=user, supplemental_groups=[3456], **fields)
        with pod.running(name=f"groups-{policy}", linux=linux) as container:
            return process_status.of_main(container).groups

    expect_equal(groups("merge"), {3456, group}, f"the groups of {user} with Merge")
    if not ctx.runtime.Status(cri_pb2.StatusRequest()).features.supplemental_groups_policy:
        raise NotApplicable("Merge is right; the endpoint says that it does not serve Strict")
    strict = groups("strict", supplemental_groups_policy=cri_pb2.Strict)
    expect_equal(strict, {3456}, f"the groups of {user} with Strict")
    return f"{user} is in {group} by the image's /etc/group: there with Merge, not with Strict"


def _member(ctx: Context) -> tuple[str, int]:
    """A user whom the image's /etc/group adds to a group that is not the user's own."""
    for line in ctx.container.output("cat", "/etc/group").splitlines():
        name, _, number, members = (*line.split(":"), "", "", "")[:4]
        for user in filter(None, members.split(",")):
            if user != name and number.isdecimal():
                return user, int(number)
    raise NotApplicable(f"the /etc/group of {ctx.options.image} adds nobody to a group")
