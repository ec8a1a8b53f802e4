"""Runs CNI plugins: one process per verb and plugin (CNI specification, sections 2 to 4)."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycri import errors
from pycri.cni.config import Conflist
from pycri.cni.result import Result, parse
from pycri.stats.instruments import CNI, CNI_SECONDS

log = logging.getLogger(__name__)

INTERFACE = "eth0"
_TRY_AGAIN_LATER = 11  # error code of the specification
_MAX_STDERR = 2048
_SUPPORTED = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")


class PluginError(errors.Unknown):
    """A plugin failed; ``number`` is the specification's error code, 0 when it gave none."""

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True)
class Attachment:
    """One pod's place in the network. ``arguments`` become CNI_ARGS, ``capabilities`` runtimeConfig."""

    container_id: str
    netns: str  # path; empty on a DEL after a reboot
    arguments: Mapping[str, str] = field(default_factory=dict)
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    interface: str = INTERFACE


class Plugins:
    """The plugin executables of ``bin_dirs``; ``timeout`` seconds bound one call."""

    def __init__(self, bin_dirs: Sequence[str], timeout: float = 120.0) -> None:
        self._bin_dirs = tuple(bin_dirs)
        self._timeout = timeout
        self._versions: dict[tuple[str, int], frozenset[str]] = {}

    async def add(self, network: Conflist, pod: Attachment) -> Result:
        """ADD along the chain. Raises PluginError; undoing the part that was done is the caller's DEL."""
        version = await self.version(network)
        previous: Mapping[str, Any] | None = None
        for plugin in network.plugins:
            output = await self._call("ADD", network, plugin, version, pod, previous)
            try:
                result = parse(output, pod.interface)
            except ValueError as error:
                raise PluginError(
                    f'CNI plugin "{plugin["type"]}" ADD gave an unusable result: {error}'
                ) from error
            previous = result.raw
        return result

    async def delete(self, network: Conflist, pod: Attachment, result: str = "") -> None:
        """DEL along the chain, last plugin first; every plugin is tried, the first error is raised."""
        version = await self.version(network)
        previous = json.loads(result) if result and version >= "0.4.0" else None
        failures = [
            failure
            for plugin in reversed(network.plugins)
            if (failure := await self._try_delete(network, plugin, version, pod, previous)) is not None
        ]
        if failures:
            raise failures[0]

    async def check(self, network: Conflist, pod: Attachment, result: str) -> None:
        """CHECK along the chain, where version and conflist allow it."""
        version = await self.version(network)
        if network.disable_check or version < "0.4.0":
            return
        for plugin in network.plugins:
            await self._call("CHECK", network, plugin, version, pod, json.loads(result))

    async def status(self, network: Conflist) -> None:
        """STATUS of every plugin (spec 1.1); on earlier versions, whether the executables are there."""
        for plugin in network.plugins:
            self.path(plugin["type"])
        version = await self.version(network)
        if version >= "1.1.0":
            for plugin in network.plugins:
                await self._call("STATUS", network, plugin, version, Attachment("", ""), None)

    async def collect(self, network: Conflist, valid: Iterable[tuple[str, str]]) -> bool:
        """GC of every plugin (spec 1.1): what belongs to none of ``valid`` is released.

        ``valid`` are container ids and interface names. False, and nothing done, where the version or the
        conflist's ``disableGC`` says so. Every plugin is tried, the first error is raised.
        """
        version = await self.version(network)
        if network.disable_gc or version < "1.1.0":
            return False
        attachments = [{"containerID": container, "ifname": interface} for container, interface in valid]
        failures = []
        for plugin in network.plugins:
            config = {**plugin, "cni.dev/valid-attachments": attachments}
            try:
                await self._call("GC", network, config, version, Attachment("", ""), None)
            except errors.PycriError as error:  # each is a process
                failures.append(error)
        if failures:
            raise failures[0]
        return True

    async def version(self, network: Conflist) -> str:
        """The specification version to speak: the best of "cniVersions" that every plugin knows."""
        if not network.versions:
            if network.version not in _SUPPORTED:
                raise errors.FailedPrecondition(
                    f'network "{network.name}" ({network.source}) has cniVersion {network.version}; '
                    f"pycri speaks {', '.join(_SUPPORTED)}"
                )
            return network.version
        known = {*network.versions, network.version} & set(_SUPPORTED)
        for plugin in network.plugins:
            known &= await self._supported(plugin["type"])
        if not known:
            raise errors.FailedPrecondition(
                f'network "{network.name}" ({network.source}): no version in cniVersions suits all plugins'
            )
        return max(known)

    def path(self, kind: str) -> str:
        """The executable of a plugin type. Raises FailedPrecondition."""
        for directory in self._bin_dirs:
            path = f"{directory}/{kind}"
            if os.access(path, os.X_OK):
                return path
        raise errors.FailedPrecondition(
            f'CNI plugin "{kind}" is not in {", ".join(self._bin_dirs)}: install it, or correct cni.bin_dirs'
        )

    async def _supported(self, kind: str) -> frozenset[str]:
        path = self.path(kind)
        key = (path, Path(path).stat().st_mtime_ns)
        if key not in self._versions:
            request = b'{"cniVersion":"1.0.0"}'
            output = await self._run(
                path, {"CNI_COMMAND": "VERSION", "CNI_PATH": ":".join(self._bin_dirs)}, request
            )
            try:
                self._versions[key] = frozenset(json.loads(output)["supportedVersions"])
            except (ValueError, KeyError, TypeError) as error:
                raise PluginError(f'CNI plugin "{kind}" VERSION gave an unusable result: {error}') from error
        return self._versions[key]

    async def _try_delete(
        self,
        network: Conflist,
        plugin: Mapping[str, Any],
        version: str,
        pod: Attachment,
        previous: Mapping[str, Any] | None,
    ) -> errors.PycriError | None:
        try:
            await self._call("DEL", network, plugin, version, pod, previous)
        except errors.PycriError as error:
            return error
        return None

    async def _call(
        self,
        verb: str,
        network: Conflist,
        plugin: Mapping[str, Any],
        version: str,
        pod: Attachment,
        previous: Mapping[str, Any] | None,
    ) -> bytes:
        environment = {"CNI_COMMAND": verb, "CNI_PATH": ":".join(self._bin_dirs)}
        if verb not in ("STATUS", "GC"):
            environment |= {
                "CNI_CONTAINERID": pod.container_id,
                "CNI_NETNS": pod.netns,
                "CNI_IFNAME": pod.interface,
                "CNI_ARGS": ";".join(f"{key}={value}" for key, value in pod.arguments.items()),
            }
        request = json.dumps(_execution_config(network, plugin, version, pod, previous)).encode()
        begun, result = time.monotonic(), "error"
        try:
            output = await self._run(self.path(plugin["type"]), environment, request)
            result = "ok"
            return output
        except PluginError as error:
            raise PluginError(
                f'CNI plugin "{plugin["type"]}" {verb} of network "{network.name}": {error}', error.number
            ) from error
        finally:
            CNI.add(verb, plugin["type"], result)
            CNI_SECONDS.observe(time.monotonic() - begun, verb, plugin["type"])

    async def _run(self, path: str, environment: dict[str, str], request: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            path,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            stdout, stderr = await asyncio.wait_for(process.communicate(request), self._timeout)
        except asyncio.TimeoutError:
            raise PluginError(f"no answer within {self._timeout:g} s", _TRY_AGAIN_LATER) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise _decoded(process.returncode, stdout, stderr)
        return stdout


def _execution_config(
    network: Conflist,
    plugin: Mapping[str, Any],
    version: str,
    pod: Attachment,
    previous: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What one plugin reads on stdin (specification, "Deriving execution configuration")."""
    config = {key: value for key, value in plugin.items() if key != "capabilities"}
    config |= {"cniVersion": version, "name": network.name}
    wanted = plugin.get("capabilities", {})
    given = {name: pod.capabilities[name] for name, on in wanted.items() if on and name in pod.capabilities}
    if given:
        config["runtimeConfig"] = given
    if previous is not None:
        config["prevResult"] = previous
    return config


def _decoded(status: int, stdout: bytes, stderr: bytes) -> PluginError:
    """The error a plugin printed (specification, section 5), with its stderr, which often knows more."""
    number, parts = 0, []
    try:
        data = json.loads(stdout)
        number = int(data.get("code", 0))
        parts = [str(data[key]) for key in ("msg", "details") if data.get(key)]
    except (ValueError, AttributeError, TypeError):
        text = stdout.decode(errors="replace").strip()
        parts = [text[:_MAX_STDERR]] if text else []
    noise = stderr.decode(errors="replace").strip()
    if noise:
        parts.append(f"stderr: {noise[-_MAX_STDERR:]}")
    if not parts:
        parts = ["no message"]
    ended = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
    return PluginError(f"{'; '.join(parts)} ({ended})", number)
