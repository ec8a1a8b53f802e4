from __future__ import annotations

import pytest

from pycri.images.record import ImageRecord, image_user


@pytest.mark.parametrize(
    ("user", "uid", "name"),
    [
        (None, None, ""),
        ("", None, ""),
        ("0", 0, ""),
        ("1000:1000", 1000, ""),
        ("www-data:www-data", None, "www-data"),
        ("2147483647", 2147483647, ""),
        # CVE-2024-40635: a number out of range must not come back as uid 0 or any other.
        ("2147483648", None, "2147483648"),
        ("4294967296:0", None, "4294967296"),
        ("18446744073709551616", None, "18446744073709551616"),
        ("9" * 5000, None, "9" * 5000),
        ("-1", None, "-1"),
        ("+0", None, "+0"),
        ("٠", None, "٠"),  # a digit, but not one of ours
        (0, None, ""),
    ],
)
def test_user_of_an_image(user: object, uid: int | None, name: str) -> None:
    assert image_user(user) == (uid, name)


def test_cri_image_sorts_names_by_kind() -> None:
    record = ImageRecord(
        id="sha256:" + "a" * 64,
        names=("docker.io/library/x:1", "docker.io/library/x@sha256:" + "b" * 64, "sha256:" + "a" * 64),
        chain_id="",
        config={"config": {"User": "7"}},
        size=9,
        pinned=True,
    )
    image = record.to_cri()
    assert list(image.repo_tags) == ["docker.io/library/x:1"]
    assert list(image.repo_digests) == ["docker.io/library/x@sha256:" + "b" * 64]
    assert (image.id, image.size, image.uid.value, image.pinned) == (record.id, 9, 7, True)
    assert not ImageRecord(record.id, (), "", {"config": None}, 0).to_cri().HasField("uid")
