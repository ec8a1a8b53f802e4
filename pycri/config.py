"""pycri's configuration: one frozen dataclass tree, read from TOML (``/etc/pycri/config.toml``).

Every key has its default and its comment here and nowhere else; ``pycri config default`` prints them. An
unknown key, a wrong type or a bad value is refused with file and line: a misspelt setting that is silently
ignored would surface weeks later, on a node.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

DEFAULT_PATH = Path("/etc/pycri/config.toml")
# The size of one gRPC message in either direction; the kubelet's own limit, which lists of a full node need.
MAX_MESSAGE_BYTES = 64 << 20


class ConfigError(ValueError):
    """The configuration cannot be used; the text names file, line, key and what would be right."""


def load(path: Path | None = None) -> Config:
    """Read the file at ``path``; without one, the default path when it exists, else the defaults.

    Raises ConfigError: unreadable file, TOML syntax, unknown key, wrong type or value.
    """
    if path is None:
        if not DEFAULT_PATH.exists():
            return Config()
        path = DEFAULT_PATH
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, source: str = "config.toml") -> Config:
    """Build a Config from TOML ``text``; ``source`` names it in errors. Raises ConfigError."""
    try:
        import tomllib  # Python 3.10 has only the backport
    except ModuleNotFoundError:  # pragma: no cover - depends on the interpreter
        import tomli as tomllib  # type: ignore[no-redef]
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        number = line[1] if line else text.count("\n") + 1  # "at end of document"
        raise ConfigError(f"{source}:{number}: not valid TOML: {error}") from error
    return _Reader(text, source).section(Config, data, ())


def duration(value: object) -> float:
    """Seconds out of ``"1m30s"``, ``"500ms"``, ``"2h"``. Raises ValueError."""
    if isinstance(value, str) and re.fullmatch(r"(\d+(\.\d+)?(h|ms|m|s))+", value):
        unit = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
        return sum(float(n) * unit[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", value))
    raise ValueError('expected a duration such as "30s", "5m" or "1h30m"')


def _absolute(value: object) -> str:
    if isinstance(value, str) and value.startswith("/") and "\0" not in value:
        return value.rstrip("/") or "/"
    raise ValueError("expected an absolute path")


def _absolutes(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and value:
        return tuple(_absolute(item) for item in value)
    raise ValueError("expected a list of absolute paths")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("expected a string")


def _shim(value: object) -> str:
    """As containerd finds its binary: ``io.containerd.runc.v2`` is ``containerd-shim-runc-v2``."""
    if isinstance(value, str) and re.fullmatch(r"(\w+\.)+v\d+|/[^\0]+", value, re.ASCII):
        return value
    raise ValueError('expected a shim such as "io.containerd.runc.v2", or an absolute path')


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("expected true or false")


def _integer(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise ValueError(f"expected a whole number from {low} to {high}")

    return read


def _choice(*names: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise ValueError("expected one of " + ", ".join(f'"{name}"' for name in names))

    return read


def _key(default: Any, read: Callable[[object], Any], doc: str, shown: str | None = None) -> Any:
    return field(default=default, metadata={"read": read, "doc": doc, "shown": shown})


@dataclass(frozen=True)
class Server:
    """Where the CRI is served."""

    socket: str = _key(
        "/run/pycri/pycri.sock", _absolute, "The kubelet's --container-runtime-endpoint, mode 0660."
    )
    drain_timeout: float = _key(
        10.0, duration, "On SIGTERM, how long requests in flight may take to finish.", "10s"
    )


@dataclass(frozen=True)
class ContainerdSettings:
    """The containerd that runs the containers."""

    address: str = _key("/run/containerd/containerd.sock", _absolute, "containerd's gRPC socket.")
    namespace: str = _key(
        "k8s.io",
        _text,
        "containerd namespace of all objects. The kubelet's cAdvisor looks into k8s.io only.",
    )
    snapshotter: str = _key("overlayfs", _text, "Snapshotter of image layers and container root filesystems.")
    allow_builtin_cri: bool = _key(
        False,
        _bool,
        "Start although containerd's own CRI plugin is enabled in the same namespace. It would adopt,\n"
        "and may remove, pycri's containers: for tests only.",
    )


@dataclass(frozen=True)
class Images:
    """Pulling and keeping images."""

    sandbox_image: str = _key(
        "localhost/pycri-pause:1",
        _text,
        "Image of the pod's pause container; the default one is imported from pycri itself, not pulled.",
    )
    registry_config: str = _key(
        "/etc/containerd/certs.d", _absolute, "Directory of <host>/hosts.toml files, as containerd reads it."
    )
    max_concurrent_downloads: int = _key(3, _integer(1, 64), "Layers of one image fetched at the same time.")
    connections_per_layer: int = _key(
        4,
        _integer(1, 16),
        "Ranges of one layer of 128 MiB or more fetched at the same time; 1: it comes whole.",
    )
    progress_timeout: float = _key(
        300.0, duration, "A pull that receives no byte for this long is cancelled.", "5m"
    )


@dataclass(frozen=True)
class Cni:
    """Pod networks."""

    bin_dirs: tuple[str, ...] = _key(("/opt/cni/bin",), _absolutes, "Where plugins are looked up, in order.")
    conf_dir: str = _key(
        "/etc/cni/net.d", _absolute, "Watched for conflists; the first by name is the pods' network."
    )
    gc: bool = _key(
        False,
        _bool,
        "At start, have plugins release what belongs to no pod of pycri's (CNI 1.1's GC; a conflist's\n"
        "disableGC is honoured). Not on a network that another runtime of this host uses too.",
    )
    netns_dir: str = _key("/run/netns", _absolute, "Where pods' network namespaces are mounted.")


@dataclass(frozen=True)
class Cgroups:
    """How containers' cgroups are made."""

    driver: str = _key(
        "auto",
        _choice("auto", "systemd", "cgroupfs"),
        "systemd, cgroupfs, or auto: systemd where it is PID 1 and the host is on cgroup v2.\n"
        "Must be what the kubelet uses; the kubelet asks pycri since 1.28.",
    )


@dataclass(frozen=True)
class Streaming:
    """The HTTP server of exec, attach and port-forward (in pycri-io)."""

    address: str = _key("127.0.0.1", _text, "Only the kubelet connects: keep it on loopback.")
    port: int = _key(0, _integer(0, 65535), "0: any free port.")


@dataclass(frozen=True)
class Metrics:
    """Prometheus metrics of pycri itself: requests, CNI plugins, pulls."""

    enabled: bool = _key(False, _bool, "Serve GET /metrics, without authentication.")
    address: str = _key("127.0.0.1", _text, "Whoever can connect can read: keep it on loopback.")
    port: int = _key(10258, _integer(0, 65535), "0: any free port, named in the log.")


@dataclass(frozen=True)
class Runtime:
    """One RuntimeClass handler."""

    type: str = _key(
        "io.containerd.runc.v2", _shim, "containerd shim, such as io.containerd.kata.v2, or its path."
    )
    binary: str = _key("", _text, "OCI runtime the runc shim executes; empty: runc from containerd's PATH.")
    config_path: str = _key("", _text, "Configuration file of a shim that is not runc's; empty: its own.")


@dataclass(frozen=True)
class Config:
    """The whole configuration."""

    root: str = _key("/var/lib/pycri", _absolute, "State that outlives a reboot, mode 0700.")
    run: str = _key("/run/pycri", _absolute, "State that does not: sockets, FIFOs, shm.")
    log_level: str = _key("info", _choice("debug", "info", "warning", "error"), "Of both daemons' journals.")
    io_priority: str = _key(
        "realtime",
        _choice("realtime", "normal"),
        "How pycri-io is run: realtime, before ordinary programs (SCHED_RR 1) as long as it does not keep\n"
        "a processor busy for 100 ms on end and where the kernel grants it; or normal, as one of them.",
    )
    default_runtime: str = _key("runc", _text, "The [runtimes.NAME] of pods without a RuntimeClass.")
    enable_checkpoint: bool = _key(
        False, _bool, "Serve CheckpointContainer; needs criu on the node. Off: it is refused."
    )
    server: Server = field(default_factory=Server)
    containerd: ContainerdSettings = field(default_factory=ContainerdSettings)
    images: Images = field(default_factory=Images)
    cni: Cni = field(default_factory=Cni)
    cgroups: Cgroups = field(default_factory=Cgroups)
    streaming: Streaming = field(default_factory=Streaming)
    metrics: Metrics = field(default_factory=Metrics)
    runtimes: Mapping[str, Runtime] = field(default_factory=lambda: {"runc": Runtime()})

    @property
    def io_socket(self) -> str:
        """The boundary socket between pycri and pycri-io."""
        return f"{self.run}/io.sock"

    @property
    def database(self) -> str:
        """The SQLite file of intents."""
        return f"{self.root}/state.db"


_T = TypeVar("_T")


class _Reader:
    """Turns parsed TOML into dataclasses; keeps the text to name lines."""

    def __init__(self, text: str, source: str) -> None:
        self.lines = text.splitlines()
        self.source = source

    def section(self, cls: type[_T], data: object, path: tuple[str, ...]) -> _T:
        if not isinstance(data, dict):
            raise self.error(path, f'"{path[-1]}" is a section: write [{".".join(path)}]')
        fields = {item.name: item for item in dataclasses.fields(cast(Any, cls))}
        values: dict[str, Any] = {}
        for name, value in data.items():
            here = (*path, name)
            if name not in fields:
                raise self.error(here, self.unknown(name, path, list(fields)))
            values[name] = self.value(cls, fields[name], value, here)
        config = cls(**values)
        if isinstance(config, Runtime):
            self.check_runtime(config, path)
        if isinstance(config, Config) and config.default_runtime not in config.runtimes:
            known = ", ".join(config.runtimes)
            raise self.error(
                ("default_runtime",), f'"{config.default_runtime}" is not among runtimes: {known}'
            )
        return config

    def check_runtime(self, runtime: Runtime, path: tuple[str, ...]) -> None:
        """One of the two settings is of no effect, and whoever wrote it expects another."""
        is_runc = runtime.type == Runtime.type
        if runtime.binary and not is_runc:
            raise self.error((*path, "binary"), f"binary is the runc shim's, but type is {runtime.type}")
        if runtime.config_path and is_runc:
            raise self.error((*path, "config_path"), "config_path is not for the runc shim; it has binary")

    def value(self, cls: type, item: dataclasses.Field[Any], value: object, here: tuple[str, ...]) -> Any:
        if cls is Config and item.name == "runtimes":
            if not isinstance(value, dict) or not value:
                raise self.error(here, "expected sections such as [runtimes.runc]")
            return {name: self.section(Runtime, data, (*here, name)) for name, data in value.items()}
        if "read" not in item.metadata:
            return self.section(cast(Any, item.default_factory), value, here)
        try:
            return item.metadata["read"](value)
        except ValueError as error:
            raise self.error(here, f"{'.'.join(here)} = {value!r}: {error}") from error

    def unknown(self, name: str, path: tuple[str, ...], known: list[str]) -> str:
        near = difflib.get_close_matches(name, known, 1, 0.6)
        where = f"section [{'.'.join(path)}]" if path else "the top level"
        hint = f'did you mean "{near[0]}"?' if near else "it has: " + ", ".join(known)
        return f'unknown key "{name}" in {where}; {hint}'

    def error(self, path: tuple[str, ...], message: str) -> ConfigError:
        return ConfigError(f"{self.source}:{self.line_of(path)}: {message}")

    def line_of(self, path: tuple[str, ...]) -> int:
        """The 1-based line where ``path`` is written; 1 when it is spelt in a way this does not follow."""
        section: tuple[str, ...] = ()
        for number, line in enumerate(self.lines, 1):
            header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
            if header:
                section = tuple(part.strip(" \"'") for part in header[1].split("."))
                if section[: len(path)] == path:
                    return number
                continue
            assignment = re.match(r"\s*([^=#]+?)\s*=", line)
            if assignment:
                written = (*section, *(part.strip(" \"'") for part in assignment[1].split(".")))
                if written[: len(path)] == path:
                    return number
        return 1


def default_toml() -> str:
    """The defaults as a commented TOML file; ``parse`` of it gives ``Config()``."""
    lines = [
        "# pycri's configuration. Every key is optional and shown with its default.",
        "# Check a changed file with: pycri --config FILE config check",
        "",
    ]
    config = Config()
    lines += _toml_keys(config)
    for item in dataclasses.fields(config):
        if item.name == "runtimes":
            for name, runtime in config.runtimes.items():
                lines += ["", "# One section per RuntimeClass handler.", f"[runtimes.{name}]"]
                lines += _toml_keys(runtime)
        elif "read" not in item.metadata:
            section = getattr(config, item.name)
            lines += ["", f"# {section.__doc__}", f"[{item.name}]", *_toml_keys(section)]
    return "\n".join(lines) + "\n"


def _toml_keys(section: Any) -> list[str]:
    lines = []
    for item in dataclasses.fields(section):
        if "read" not in item.metadata:
            continue
        lines += [f"# {line}" for line in item.metadata["doc"].split("\n")]
        value = item.metadata["shown"] or getattr(section, item.name)
        lines.append(f"{item.name} = {_toml_value(value)}")
    return lines


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return str(value) if isinstance(value, int) else f'"{value}"'
