"""RuntimeClass handlers: which shim and OCI runtime run a pod, and what they can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pycri import errors
from pycri._generated.containerd_runc_options_pb2 import Options
from pycri._generated.containerd_runtime_options_pb2 import Options as ShimOptions
from pycri.config import Config, Runtime
from pycri.containerd.anys import pack
from pycri.runtime_features import Features, InstalledRuntime

if TYPE_CHECKING:
    from google.protobuf.any_pb2 import Any

RUNC_SHIM = "io.containerd.runc.v2"


@dataclass(frozen=True)
class Handler:
    """One entry of [runtimes]."""

    name: str
    type: str
    options: Any | None  # the shim's, packed; None for its own defaults
    runtime: InstalledRuntime | None = None  # what the runc shim executes

    @property
    def features(self) -> Features:
        """As the installed runtime has them now; other shims have no way to say."""
        return self.runtime.features() if self.runtime is not None else Features()

    @property
    def overlaps(self) -> bool:
        """Whether the pause task may be created before the pod's network is: other shims look into it."""
        return self.type == RUNC_SHIM

    @property
    def runs_on_host(self) -> bool:
        """Whether a task's pid is its first process: other shims' is a virtual machine's or sandbox's."""
        return self.type == RUNC_SHIM


class Handlers:
    """The configured handlers by name; the empty name is the default."""

    def __init__(self, config: Config, cgroup_driver: str) -> None:
        self.default = config.default_runtime
        self._handlers = {
            name: _handler(name, runtime, cgroup_driver) for name, runtime in config.runtimes.items()
        }

        for handler in self:
            handler.features  # noqa: B018  # asked now, not within the first request

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._handlers.values())

    def get(self, name: str) -> Handler:
        """Raises InvalidArgument: not configured."""
        try:
            return self._handlers[name or self.default]
        except KeyError:
            known = ", ".join(self._handlers)
            raise errors.InvalidArgument(
                f'runtime handler "{name}" is not configured on this node (it has: {known}); '
                f"add [runtimes.{name}] to pycri's configuration"
            ) from None


def _handler(name: str, runtime: Runtime, cgroup_driver: str) -> Handler:
    if runtime.type != RUNC_SHIM:
        if not runtime.config_path:
            return Handler(name, runtime.type, None)
        # gVisor's shim wants its options called so; others look at the path only
        other = ShimOptions(type_url=f"{runtime.type}.options", config_path=runtime.config_path)
        return Handler(name, runtime.type, pack(other))
    options = pack(Options(binary_name=runtime.binary, systemd_cgroup=cgroup_driver == "systemd"))
    return Handler(name, runtime.type, options, InstalledRuntime(runtime.binary or "runc"))
