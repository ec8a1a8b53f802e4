"""pycri/cni/invoke.py against plugins that record what they were given."""

import json
import stat

import pytest

from pycri import errors
from pycri.cni import Attachment, PluginError, Plugins
from pycri.cni.config import Conflist

SCRIPT = """#!/usr/bin/python3 -SE
import json, os, sys
request = json.load(sys.stdin)
me = os.path.basename(sys.argv[0])
with open({log!r}, "a") as log:
    keep = {{k: v for k, v in os.environ.items() if k.startswith("CNI_")}}
    log.write(json.dumps([me, keep, request]) + "\\n")
command = os.environ["CNI_COMMAND"]
{body}
"""
ADD = """
if command == "ADD":
    print(json.dumps({"cniVersion": request["cniVersion"], "ips": [{"address": "10.1.0.2/16"}]}))
"""


class Directory:
    def __init__(self, path):
        self.path = path
        self.log = path / "log"

    def plugin(self, name, body=ADD):
        file = self.path / name
        file.write_text(SCRIPT.format(log=str(self.log), body=body))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def calls(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path)


POD = Attachment("id1", "/run/netns/x", {"IgnoreUnknown": "1", "K": "v"}, {"portMappings": [1], "dns": {}})


def network(*plugins, version="1.0.0", versions=()):
    return Conflist("net", version, plugins, versions=versions)


async def test_add_chains_prev_result_and_gives_declared_capabilities_only(directory):
    directory.plugin("one")
    directory.plugin("two")
    plugins = Plugins([str(directory.path)])
    conf = network(
        {"type": "one", "x": 1}, {"type": "two", "capabilities": {"portMappings": True, "dns": False}}
    )
    result = await plugins.add(conf, POD)
    assert result.ips == ("10.1.0.2",)
    (_, env, first), (_, _, second) = directory.calls()
    assert env == {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "id1",
        "CNI_NETNS": "/run/netns/x",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K=v",
        "CNI_PATH": str(directory.path),
    }
    assert first == {"type": "one", "x": 1, "cniVersion": "1.0.0", "name": "net"}
    assert second["runtimeConfig"] == {"portMappings": [1]}
    assert second["prevResult"]["ips"] == [{"address": "10.1.0.2/16"}]
    assert "capabilities" not in second


async def test_delete_goes_backwards_and_tries_every_plugin(directory):
    directory.plugin("one")
    directory.plugin("two", 'print(json.dumps({"code": 7, "msg": "no", "details": "way"})); sys.exit(1)')
    conf = network({"type": "one"}, {"type": "two"})
    with pytest.raises(PluginError, match=r'"two" DEL of network "net": no; way \(exit status 1\)') as caught:
        await Plugins([str(directory.path)]).delete(conf, POD, '{"ips": []}')
    assert caught.value.number == 7
    assert [call[0] for call in directory.calls()] == ["two", "one"]
    assert directory.calls()[1][2]["prevResult"] == {"ips": []}


async def test_error_carries_stderr(directory):
    directory.plugin("one", 'sys.stderr.write("kaboom"); sys.exit(3)')
    with pytest.raises(PluginError, match=r"stderr: kaboom \(exit status 3\)"):
        await Plugins([str(directory.path)]).add(network({"type": "one"}), POD)


async def test_a_plugin_that_hangs_is_killed(directory):
    directory.plugin("one", "import time; time.sleep(60)")
    with pytest.raises(PluginError, match=r"no answer within 0.3 s"):
        await Plugins([str(directory.path)], timeout=0.3).add(network({"type": "one"}), POD)


async def test_missing_plugin_says_where_it_was_looked_for(directory):
    with pytest.raises(errors.FailedPrecondition, match=f'"none" is not in {directory.path}'):
        await Plugins([str(directory.path)]).status(network({"type": "none"}))


async def test_the_best_version_all_plugins_speak_is_chosen(directory):
    old = 'if command == "VERSION": print(json.dumps({"supportedVersions": ["0.4.0", "1.0.0"]}))'
    new = 'if command == "VERSION": print(json.dumps({"supportedVersions": ["1.0.0", "1.1.0"]}))'
    directory.plugin("old", old)
    directory.plugin("new", new)
    plugins = Plugins([str(directory.path)])
    versions = ("0.4.0", "1.0.0", "1.1.0")
    assert await plugins.version(network({"type": "old"}, {"type": "new"}, versions=versions)) == "1.0.0"
    assert await plugins.version(network({"type": "new"}, versions=versions)) == "1.1.0"
    with pytest.raises(errors.FailedPrecondition, match="suits all plugins"):
        await plugins.version(network({"type": "new"}, version="0.4.0", versions=("0.4.0",)))


async def test_unknown_version_is_refused(directory):
    with pytest.raises(errors.FailedPrecondition, match=r"cniVersion 9.0.0"):
        await Plugins([str(directory.path)]).version(network({"type": "one"}, version="9.0.0"))


async def test_status_is_asked_from_spec_1_1_on(directory):
    directory.plugin("one", 'print(json.dumps({"code": 50, "msg": "not yet"})) or sys.exit(1)')
    plugins = Plugins([str(directory.path)])
    await plugins.status(network({"type": "one"}))
    with pytest.raises(PluginError, match="not yet"):
        await plugins.status(network({"type": "one"}, version="1.1.0"))
