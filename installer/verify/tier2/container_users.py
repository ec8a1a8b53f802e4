"""Who a container runs as."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import check, expect_equal
from installer.verify.containers import security
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.users",
    tier=2,
    title="Runs as the user and groups asked for, by number and by name",
    proves="run_as_user, run_as_group, run_as_username, supplemental_groups; ContainerStatus.user",
    fix="the container's OCI process.user: crictl inspect ID",
)
def container_users(ctx: Context) -> str:
    pod = ctx.container.pod
    by_number = security(
        run_as_user=cri_pb2.Int64Value(value=1234),
        run_as_group=cri_pb2.Int64Value(value=2345),
        supplemental_groups=[3456, 4567],
    )
    with pod.running(name="by-number", linux=by_number) as container:
        for who, status in (
            ("the main process", process_status.of_main(container)),
            ("a command executed", process_status.of_exec(container)),
        ):
            expect_equal((status.uid, status.gid), (1234, 2345), f"uid and gid of {who}")
            expect_equal(status.groups, {3456, 4567}, f"the supplementary groups of {who}")
            expect_equal(status.capabilities("CapEff"), set(), f"the effective capabilities of {who}")
        told = container.status
    if told.HasField("user"):
        user = told.user.linux
        found = (user.uid, user.gid, set(user.supplemental_groups) - {2345})
        expect_equal(found, (1234, 2345, {3456, 4567}), "ContainerStatus.user")
    with pod.running(name="by-name", linux=security(run_as_username="www-data")) as container:
        named = process_status.of_main(container)
        wanted = container.output("sh", "-c", "id -u www-data; id -g www-data").split()
    expect_equal([str(named.uid), str(named.gid)], wanted, "uid and gid of www-data")
    return f"1234:2345 with two groups, www-data is {named.uid}:{named.gid}"
