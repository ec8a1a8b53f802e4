"""Version, Status, RuntimeConfig, UpdateRuntimeConfig: the node itself."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging

from pycri._generated import cri_pb2 as cri
from pycri.cni import Network
from pycri.config import Config
from pycri.handlers import Handlers
from pycri.monitor import Monitor
from pycri.version import __version__

log = logging.getLogger(__name__)

_KUBELET_API_VERSION = "0.1.0"


class Version:
    """The verb; ``api`` is the package it was called under."""

    def __init__(self, api: str) -> None:
        self._api = api

    async def __call__(self, _: cri.VersionRequest) -> cri.VersionResponse:
        return cri.VersionResponse(
            version=_KUBELET_API_VERSION,
            runtime_name="pycri",
            runtime_version=__version__,
            runtime_api_version=self._api,
        )


class Status:
    """The verb. Conditions say why, for whoever reads ``kubectl describe node``."""

    def __init__(self, config: Config, monitor: Monitor, network: Network, handlers: Handlers) -> None:
        self._config = config
        self._monitor = monitor
        self._network = network
        self._handlers = handlers

    async def __call__(self, request: cri.StatusRequest) -> cri.StatusResponse:
        runtime_problem = self._monitor.problem
        network_problem = await self._network.problem()
        response = cri.StatusResponse(
            status=cri.RuntimeStatus(
                conditions=[
                    _condition("RuntimeReady", "ContainerdUnavailable", runtime_problem),
                    _condition("NetworkReady", "NetworkPluginNotReady", network_problem),
                ]
            ),
            runtime_handlers=await asyncio.to_thread(self._runtime_handlers),
            features=cri.RuntimeFeatures(supplemental_groups_policy=True, user_namespaces_host_network=True),
        )
        if request.verbose:
            response.info["config"] = json.dumps(dataclasses.asdict(self._config))
            if not network_problem:
                response.info["cniconfig"] = self._network.current().dump()
        return response

    def _runtime_handlers(self) -> list[cri.RuntimeHandler]:
        found = []
        for handler in self._handlers:
            able = handler.features
            features = cri.RuntimeHandlerFeatures(
                recursive_read_only_mounts=able.recursive_read_only,
                # the kubelet mounts a pod's volumes with the pod's ids: one is of no use without the other
                user_namespaces=able.user_namespaces and able.idmapped_mounts,
            )
            found.append(cri.RuntimeHandler(name=handler.name, features=features))
            if handler.name == self._handlers.default:
                found.append(cri.RuntimeHandler(name="", features=features))  # the default has no name (CRI)
        return found


class RuntimeConfig:
    """The verb: the cgroup driver, so that the kubelet need not be told."""

    def __init__(self, cgroup_driver: str) -> None:
        self._driver = cri.SYSTEMD if cgroup_driver == "systemd" else cri.CGROUPFS

    async def __call__(self, _: cri.RuntimeConfigRequest) -> cri.RuntimeConfigResponse:
        return cri.RuntimeConfigResponse(linux=cri.LinuxRuntimeConfiguration(cgroup_driver=self._driver))


class UpdateRuntimeConfig:
    """The verb: the node's pod CIDR, for CNI plugins with the capability ipRanges."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def __call__(self, request: cri.UpdateRuntimeConfigRequest) -> cri.UpdateRuntimeConfigResponse:
        """Raises InvalidArgument."""
        cidr = request.runtime_config.network_config.pod_cidr
        log.info("the node's pod CIDR is %s", cidr or "not set")
        self._network.set_pod_cidr(cidr)
        return cri.UpdateRuntimeConfigResponse()


def _condition(kind: str, reason: str, problem: str) -> cri.RuntimeCondition:
    if problem:
        return cri.RuntimeCondition(type=kind, status=False, reason=reason, message=problem)
    return cri.RuntimeCondition(type=kind, status=True)
