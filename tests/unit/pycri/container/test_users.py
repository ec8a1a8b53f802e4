"""pycri/container/spec/users.py: who a process runs as, from files nobody trusts."""

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri import errors
from pycri.container.spec import users
from pycri.container.spec.users import UserFiles

FILES = UserFiles(
    passwd=b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n2000:x:5:5::/:/bin/sh\n",
    group=b"root:x:0:\nweb:x:1001:\nwheel:x:10:web,root\naudio:x:29:web\n",
)


def resolve(user, gid=None, supplemental=(), strict=False):
    found = users.resolve(user, gid, FILES, supplemental, strict)
    return found.uid, found.gid, found.groups


def test_empty_is_root():
    assert resolve("") == (0, 0, (0, 10))


def test_name_gives_its_group_and_memberships():
    assert resolve("web") == (1000, 1001, (10, 29, 1001))


def test_uid_is_looked_up_for_its_group():
    assert resolve("1000") == (1000, 1001, (10, 29, 1001))


def test_a_number_is_a_number_even_if_a_user_has_it_as_name():
    """CVE-2026-46680: "2000" is uid 2000, not the user of that name, who is uid 5."""
    assert resolve("2000")[0] == 2000


def test_strict_adds_only_the_given_groups():
    assert resolve("web", supplemental=[5000], strict=True) == (1000, 1001, (1001, 5000))


def test_gid_of_the_pod_wins_and_is_among_the_groups():
    """CVE-2022-36109: the primary group is an additional one too."""
    assert resolve("web:wheel", gid=7)[1:] == (7, (7, 10, 29))


def test_group_by_name():
    assert resolve("4242:audio") == (4242, 29, (29,))


@pytest.mark.parametrize(
    "user", ["nobody-here", "web:none", "4294967296", "99999999999999999999", "-1", "1:-2"]
)
def test_unknown_names_and_numbers_out_of_range_are_refused(user):
    """CVE-2024-40635: a uid above the range must not wrap round to 0."""
    with pytest.raises(errors.InvalidArgument):
        resolve(user)


@given(st.text(), st.binary(), st.binary())
def test_any_input_is_resolved_in_range_or_refused(user, passwd, group):
    with contextlib.suppress(errors.InvalidArgument):
        found = users.resolve(user, None, UserFiles(passwd, group), [], False)
        assert all(0 <= number < 2**31 for number in (found.uid, found.gid, *found.groups))


def test_files_are_read(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_bytes(b"a")
    assert users.read_files(str(tmp_path)) == UserFiles(b"a", b"")


def test_a_symlink_does_not_lead_out_of_the_root(tmp_path):
    """CVE-2024-5154 and its like: the host's own passwd must not be read."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").symlink_to("/secret")
    (tmp_path / "secret").write_bytes(b"host")
    (root / "secret").write_bytes(b"own")
    (root / "etc/group").symlink_to("../../../../secret")
    assert users.read_files(str(root)) == UserFiles(b"own", b"own")


def test_a_directory_or_fifo_in_the_place_of_a_file_does_not_block(tmp_path):
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    assert users.read_files(str(tmp_path)).passwd == b""


def test_size_is_bounded(tmp_path):
    """CVE-2026-47262."""
    (tmp_path / "etc").mkdir()
    with (tmp_path / "etc/passwd").open("wb") as file:
        file.truncate(users.MAX_FILE_BYTES + 1)
    with pytest.raises(errors.InvalidArgument, match="larger than"):
        users.read_files(str(tmp_path))
