"""pycri/server/rpc.py and interceptors.py, over a real gRPC socket."""

import grpc
import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.server.rpc import PACKAGES, service_handlers


class Caller:
    """Calls RPCs of a server that has ``verbs``."""

    def __init__(self, target):
        self.channel = grpc.aio.insecure_channel(target, options=(("grpc.default_authority", "localhost"),))

    async def __call__(self, rpc, request, response, package="runtime.v1"):
        call = self.channel.unary_unary(
            f"/{package}.RuntimeService/{rpc}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return await call(request)


@pytest.fixture
async def serve(tmp_path):
    servers, callers = [], []

    async def start(**verbs):
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(
            tuple(service_handlers("RuntimeService", dict.fromkeys(PACKAGES, verbs)))
        )
        target = f"unix:{tmp_path}/sock{len(servers)}"
        server.add_insecure_port(target)
        await server.start()
        servers.append(server)
        callers.append(Caller(target))
        return callers[-1]

    yield start
    for caller in callers:
        await caller.channel.close()
    for server in servers:
        await server.stop(0)


async def fails(caller, rpc="Status"):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller(rpc, cri.StatusRequest(), cri.StatusResponse)
    return caught.value.code(), caught.value.details()


def raising(error):
    async def verb(_):
        raise error

    return verb


@pytest.mark.parametrize("package", PACKAGES)
async def test_messages_and_bytes_are_answers_in_both_packages(serve, package):
    async def version(request):
        return cri.VersionResponse(version=request.version)

    async def pods(_):
        return cri.ListPodSandboxResponse(items=[cri.PodSandbox(id="x")]).SerializeToString()

    call = await serve(Version=version, ListPodSandbox=pods)
    answer = await call("Version", cri.VersionRequest(version="7"), cri.VersionResponse, package)
    assert answer.version == "7"
    listed = await call("ListPodSandbox", cri.ListPodSandboxRequest(), cri.ListPodSandboxResponse, package)
    assert listed.items[0].id == "x"


@pytest.mark.parametrize("kind", errors.PycriError.__subclasses__())
async def test_errors_become_their_status(serve, kind):
    code, details = await fails(await serve(Status=raising(kind("because"))))
    assert (code.name, details) == (kind.code, "because")


async def test_an_unexpected_error_is_internal_and_logged_whole(serve, caplog):
    code, details = await fails(await serve(Status=raising(ZeroDivisionError("oops"))))
    assert (code, details) == (grpc.StatusCode.INTERNAL, "Status: ZeroDivisionError: oops")
    assert any(record.exc_info for record in caplog.records)


async def test_what_is_not_served_says_so(serve):
    code, details = await fails(await serve())
    assert (code, details) == (grpc.StatusCode.UNIMPLEMENTED, "pycri does not serve Status yet")


async def test_streams(serve):
    async def events(_):
        yield cri.StreamContainersResponse(containers=[cri.Container(id="a")])
        yield cri.StreamContainersResponse(containers=[cri.Container(id="b")]).SerializeToString()
        raise errors.Aborted("enough")

    caller = await serve(StreamContainers=events)
    stream = caller.channel.unary_stream(
        "/runtime.v1.RuntimeService/StreamContainers",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=cri.StreamContainersResponse.FromString,
    )(cri.StreamContainersRequest())
    messages = aiter(stream)
    assert [(await anext(messages)).containers[0].id for _ in range(2)] == ["a", "b"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(messages)
    assert caught.value.code() is grpc.StatusCode.ABORTED


def test_a_verb_the_cri_does_not_have_is_a_mistake():
    with pytest.raises(TypeError, match="Fly"):
        service_handlers("RuntimeService", {package: {"Fly": None} for package in PACKAGES})
