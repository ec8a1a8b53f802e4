"""Lists: what is asked of the runtime, what is left out here, and how it is shown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from pycri._generated import cri_pb2 as cri
from tests.support.fake_cri import FakeCri
from tests.unit.pycri.ctl.conftest import Run

Serve = Callable[..., FakeCri]
ID = "0123456789abcdef" * 4


def pod(number: int, **fields: object) -> cri.PodSandbox:
    metadata = cri.PodSandboxMetadata(
        name=f"web-{number}", namespace="shop", uid=f"u{number}", attempt=number
    )
    created = time.time_ns() - number * 3600 * 10**9
    return cri.PodSandbox(id=f"{number}{ID[1:]}", metadata=metadata, created_at=created, **fields)  # type: ignore[arg-type]


def container(number: int, image: str, **labels: str) -> cri.Container:
    return cri.Container(
        id=f"{number}{ID[1:]}",
        pod_sandbox_id=ID,
        metadata=cri.ContainerMetadata(name=f"c{number}"),
        image=cri.ImageSpec(image=image),
        state=cri.CONTAINER_RUNNING,
        created_at=time.time_ns() - number * 10**9,
        labels=labels,
    )


@pytest.fixture
def pods(serve: Serve) -> FakeCri:
    items = [
        pod(3, runtime_handler="crun"),
        pod(1, labels={"b": "2", "a": "1"}, state=cri.SANDBOX_NOTREADY),
        pod(2),
    ]
    return serve({"ListPodSandbox": cri.ListPodSandboxResponse(items=items)})


def test_pods_youngest_first(pods: FakeCri, run: Run) -> None:
    rows = [line.split() for line in run("pods").out.splitlines()]
    assert rows[0] == ["POD", "ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"]
    assert rows[1] == [
        "1123456789abc",
        "About",
        "an",
        "hour",
        "ago",
        "NotReady",
        "web-1",
        "shop",
        "1",
        "(default)",
    ]
    assert [row[-3:] for row in rows[2:]] == [["shop", "2", "(default)"], ["shop", "3", "crun"]]
    assert run("pods", "-q", "--last", "2").out == f"1{ID[1:]}\n2{ID[1:]}\n"
    assert run("pods", "-q", "--latest").out == f"1{ID[1:]}\n"
    assert ID[1:] in run("pods", "--no-trunc").out
    verbose = run("pods", "-v", "--latest").out
    assert verbose.startswith(
        f"ID: 1{ID[1:]}\nName: web-1\nUID: u1\nNamespace: shop\nAttempt: 1\nStatus: NotReady\n"
    )
    assert "Labels:\n\ta -> 1\n\tb -> 2\nRuntime: (default)\n\n" in verbose


def test_what_the_runtime_filters_and_what_we_do(pods: FakeCri, run: Run) -> None:
    run("pods", "--id", "ab", "--state", "Ready", "--label", "a=b", "--label", "c=d")
    (request,) = pods.requests("ListPodSandbox")
    assert (request.filter.id, request.filter.state.state) == ("ab", cri.SANDBOX_READY)
    assert dict(request.filter.label_selector) == {"a": "b", "c": "d"}
    assert run("pods", "-q", "--name", "[23]$").out.count("\n") == 2
    assert run("pods", "-q", "--namespace", "^hop").out == ""
    assert len(json.loads(run("pods", "-o", "json").out)["items"]) == 3
    assert run("pods", "-o", "yaml").out.startswith("items:\n- annotations: {}\n")


def test_containers_of_an_image_that_has_two_names(serve: Serve, run: Run) -> None:
    known = {"a:1": "sha256:aa", "sha256:aa": "sha256:aa", "b:1": "sha256:bb"}

    def status(request: cri.ImageStatusRequest) -> cri.ImageStatusResponse:
        found = known.get(request.image.image)
        return cri.ImageStatusResponse(image=cri.Image(id=found, repo_tags=["a:1"]) if found else None)

    listed = [container(1, "sha256:aa"), container(2, "b:1"), container(3, "a:1"), container(4, "gone")]
    fake = serve({"ListContainers": cri.ListContainersResponse(containers=listed), "ImageStatus": status})
    assert run("ps", "-q", "--image", "a:1").out == f"1{ID[1:]}\n3{ID[1:]}\n"
    assert run("ps", "-q", "--image", "nothing").out == ""
    assert fake.requests("ListContainers")[0].filter.state.state == cri.CONTAINER_RUNNING
    rows = [line.split() for line in run("ps", "-r", "-a").out.splitlines()]
    assert [row[1] for row in rows[1:]] == ["a:1", "a:1", "a:1", "gone"]
    assert not fake.requests("ListContainers")[-1].filter.HasField("state")
    run("ps", "--latest", "--state", "exited")
    assert not fake.requests("ListContainers")[-1].filter.HasField("state")
    run("ps", "--state", "exited")
    assert fake.requests("ListContainers")[-1].filter.state.state == cri.CONTAINER_EXITED


def test_a_container_says_whose_it_is(serve: Serve, run: Run) -> None:
    labels = {"io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop"}
    listed = [container(1, "sha256:" + "f" * 64, **labels), container(2, "b:1")]
    serve({"ListContainers": cri.ListContainersResponse(containers=listed)})
    rows = [line.split() for line in run("ps").out.splitlines()]
    assert rows[1][:2] == ["1123456789abc", "f" * 13]
    assert rows[1][-3:] == ["0123456789abc", "web-1", "shop"]
    assert rows[2][-2:] == ["unknown", "unknown"]
    assert run("ps", "-q", "--namespace", "shop").out == f"1{ID[1:]}\n"


IMAGES = [
    cri.Image(
        id="sha256:bb", repo_tags=["x.io/b:2", "x.io/b:1"], repo_digests=["x.io/b@sha256:d1"], size=5_000_000
    ),
    cri.Image(id="sha256:cc", repo_digests=["x.io/c@sha256:d2"], pinned=True),
    cri.Image(id="sha256:aa", repo_tags=["x.io/a:1"], username="www"),
]


def test_images_by_name_with_a_line_for_each_tag(serve: Serve, run: Run) -> None:
    serve({"ListImages": cri.ListImagesResponse(images=IMAGES)})
    rows = [line.split() for line in run("images", "--digests", "--pinned").out.splitlines()]
    assert rows[1:] == [
        ["x.io/a", "1", "<none>", "aa", "0B", "false"],
        ["x.io/b", "2", "d1", "bb", "5MB", "false"],
        ["x.io/b", "1", "d1", "bb", "5MB", "false"],
        ["x.io/c", "<none>", "d2", "cc", "0B", "true"],
    ]
    assert run("image", "-q").out == "sha256:aa\nsha256:bb\nsha256:cc\n"
    assert run("img", "-v").out.startswith("ID: sha256:aa\nRepoTags: x.io/a:1\nUsername: www\n\n")


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (("dangling=true",), ["cc"]),
        (("dangling=false",), ["aa", "bb"]),
        (("reference=/[bc]$",), ["bb", "cc"]),
        (("before=x.io/b:2",), ["cc"]),
        (("since=x.io/b:2",), ["aa"]),
        (("since=cc", "dangling=false"), ["aa", "bb"]),
        (("before=x.io/b@sha256:d1",), ["cc"]),
    ],
)
def test_image_filters(filters: tuple[str, ...], left: list[str], serve: Serve, run: Run) -> None:
    serve({"ListImages": cri.ListImagesResponse(images=IMAGES)})
    done = run("images", "-q", *(f"--filter={text}" for text in filters))
    assert done.out.split() == [f"sha256:{name}" for name in left]


@pytest.mark.parametrize("text", ["bogus=1", "dangling=maybe", "reference=(", "before="])
def test_no_image_filters(text: str, serve: Serve, run: Run) -> None:
    serve({"ListImages": cri.ListImagesResponse(images=IMAGES)})
    done = run("images", "-f", text)
    assert (done.code, done.out) == (2, "")
    assert f"--filter {text}" in done.err


def test_pruning_spares_what_is_pinned_or_used(serve: Serve, run: Run) -> None:
    by_name = {image.id: image for image in IMAGES}
    fake = serve(
        {
            "ListImages": cri.ListImagesResponse(images=IMAGES),
            "ListContainers": cri.ListContainersResponse(containers=[container(1, "sha256:aa")]),
            "ImageStatus": lambda request: cri.ImageStatusResponse(image=by_name[request.image.image]),
            "RemoveImage": cri.RemoveImageResponse(),
        }
    )
    done = run("rmi", "--prune")
    assert (done.code, done.out) == (0, "Deleted: x.io/b:2\nDeleted: x.io/b:1\n")
    assert [request.image.image for request in fake.requests("RemoveImage")] == ["sha256:bb"]


def test_cpu_is_the_difference_of_two_readings(serve: Serve, run: Run) -> None:
    readings = iter((10**9, 15 * 10**8, 0, 10**8))

    def stats(_: object) -> cri.ListContainerStatsResponse:
        used = next(readings)
        one = cri.ContainerStats(attributes=cri.ContainerAttributes(id=ID))
        one.cpu.timestamp, one.cpu.usage_core_nano_seconds.value = used * 4, used
        one.memory.working_set_bytes.value = 2_000_000
        return cri.ListContainerStatsResponse(stats=[one])

    serve({"ListContainerStats": stats})
    assert run("stats", "-s", "0").out.splitlines()[1].split()[:3] == ["0123456789abc", "25.00", "2MB"]
    assert run("stats", "-s", "0").out.splitlines()[1].split()[1] == "25.00"
