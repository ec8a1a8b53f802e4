from __future__ import annotations

from pycri.images.store import ImageData, ImageStore

ID_A, ID_B = "sha256:" + "ab" * 32, "sha256:" + "ac" * 32
A, B = ImageData(ID_A, "chain-a", {}, 1), ImageData(ID_B, "chain-b", {}, 2)


def filled() -> ImageStore:
    store = ImageStore()
    store.put("docker.io/library/x:1", "t-a", A, pinned=False)
    store.put("docker.io/library/x:latest", "t-a", A, pinned=False)
    store.put("reg.example/y:1", "t-b", B, pinned=True)
    return store


def test_names_complete_or_not_ids_and_parts_of_ids_are_found() -> None:
    store = filled()
    for text in ("docker.io/library/x:1", "x:1", "x", "docker.io/x", ID_A, ID_A[7:], ID_A[7:19], ID_A[:15]):
        found = store.find(text)
        assert found is not None, text
        assert found.id == ID_A
    for text in ("y:1", "", "zzz", "abab", "sha256:", "ab" * 33, "x:2"):
        assert store.find(text) is None, text


def test_part_of_an_id_must_be_unique() -> None:
    store = ImageStore()
    for number in (1, 2):
        store.put(f"n{number}", "t", ImageData(f"sha256:abcdef{number:058}", "", {}, 0), pinned=False)
    assert store.find("abcdef") is None
    assert store.find(f"abcdef{1:058}") is not None


def test_image_is_gone_with_its_last_name_and_a_moved_name_leaves_the_other() -> None:
    store = filled()
    store.put("docker.io/library/x:1", "t-b", B, pinned=False)
    first, second = store.find(ID_A), store.find(ID_B)
    assert first is not None
    assert second is not None
    assert first.names == ("docker.io/library/x:latest",)
    assert second.names == ("docker.io/library/x:1", "reg.example/y:1")
    assert second.pinned
    store.drop("reg.example/y:1")
    second = store.find(ID_B)
    assert second is not None
    assert not second.pinned
    store.drop("docker.io/library/x:latest")
    store.drop("docker.io/library/x:latest")
    assert store.find(ID_A) is None
    assert [record.id for record in store.records()] == [ID_B]


def test_what_is_current_need_not_be_read_again() -> None:
    store = filled()
    assert store.is_current("reg.example/y:1", "t-b", pinned=True)
    assert not store.is_current("reg.example/y:1", "t-b", pinned=False)
    assert not store.is_current("reg.example/y:1", "t-c", pinned=True)
    assert not store.is_current("reg.example/z:1", "t-b", pinned=True)
    assert (store.target("reg.example/y:1"), store.target("none")) == ("t-b", "")
