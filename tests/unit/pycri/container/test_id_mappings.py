"""pycri/container/spec/id_mappings.py: what the kubelet may ask of a user namespace."""

import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.container.spec import id_mappings
from pycri.container.spec.id_mappings import IdMappings, Range


def ids(*ranges):
    return [
        cri.IDMapping(container_id=inside, host_id=outside, length=size) for inside, outside, size in ranges
    ]


def options(uids=((0, 1000, 10),), gids=((0, 2000, 10),), mode=cri.POD, **more):
    wanted = cri.UserNamespace(mode=mode, uids=ids(*uids), gids=ids(*gids))
    return cri.NamespaceOption(userns_options=wanted, **more)


def test_mappings():
    found = id_mappings.of_pod(options(uids=((5, 9000, 2), (0, 1000, 5))))
    assert found == IdMappings((Range(0, 1000, 5), Range(5, 9000, 2)), (Range(0, 2000, 10),))
    assert found.root == (1000, 2000)
    assert [id_mappings.host_id(found.uids, inside) for inside in (4, 5, 6, 7)] == [1004, 9000, 9001, None]


@pytest.mark.parametrize("without", [cri.NamespaceOption(), options(mode=cri.NODE, network=cri.NODE)])
def test_without_a_user_namespace(without):
    assert id_mappings.of_pod(without) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (options(mode=cri.CONTAINER), "not CONTAINER"),
        (options(uids=()), "uids of an id mapping need one"),
        (options(gids=((0, 1, 0),)), "0:1:0 is empty"),
        (options(gids=((0, 2**32 - 2, 2),)), "leaves the ids"),
        (options(uids=((1, 1000, 10),)), "do not map id 0"),
        (options(uids=((0, 1000, 10), (9, 5000, 10))), "0:1000:10 and 9:5000:10 overlap"),
        (options(uids=((0, 1000, 10), (10, 1009, 10))), "overlap"),
        (options(uids=[(i, i, 1) for i in range(341)]), "one to 340"),
        (options(pid=cri.NODE), "host's PID"),
        (options(ipc=cri.NODE), "host's IPC"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(errors.InvalidArgument, match=message):
        id_mappings.of_pod(wrong)
