"""What nodestrap asks a host, answered in one go. This file's source is sent to the host and run there as
root.

It must run on any Python from 3.6 on, with the standard library alone, and change nothing: the one
exception is the trial of overlayfs, in a mount namespace and a directory of its own, both gone when it
ends.

Protocol: a JSON request line on stdin, a JSON answer line on stdout. With ``lock`` in the request it then
holds a lock on the host until stdin ends, which a dying controller cannot forget.
"""
# ruff: noqa: UP006, UP035, UP045 - newer annotations do not exist in Python 3.6
# ruff: noqa: PTH102, PTH110, PTH112, PTH115, PTH116, PTH118, PTH123, PTH208 - os starts faster than pathlib
# ruff: noqa: PERF203 - each fact stands or falls alone

import ctypes
import fcntl
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import IO, Any, Dict, Optional

LOCK_FILE = "/run/nodestrap.lock"
MODULES = ("overlay", "br_netfilter", "nf_conntrack", "ip_tables", "nf_tables")
RUNTIMES = ("containerd", "dockerd", "crio", "cri-dockerd", "kubelet", "pycri")
SOCKETS = (
    "/run/containerd/containerd.sock",
    "/run/docker.sock",
    "/run/crio/crio.sock",
    "/run/pycri/pycri.sock",
)
COMMANDS = ("systemctl", "iptables", "nft", "modprobe", "conntrack", "socat", "apt-get", "dnf", "tar", "runc")
DIRECTORIES = ("/", "/var/lib", "/var/lib/containerd", "/var/lib/kubelet", "/opt", "/run", "/tmp")
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline().decode())
    answer = {"time": time.time(), "failed": {}}  # type: Dict[str, Any]
    for gather in GATHERERS:
        try:
            answer.update(gather())
        except Exception as error:  # noqa: BLE001 - reported by name; one odd file must not hide all other facts
            answer["failed"][gather.__name__] = f"{type(error).__name__}: {error}"
    lock = take_lock(request["lock"], answer) if request.get("lock") else None
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    if lock is not None:
        sys.stdin.buffer.read()  # until the controller is done, or gone
        lock.close()


def take_lock(owner: Dict[str, Any], answer: Dict[str, Any]) -> "Optional[IO[str]]":
    lock = os.fdopen(os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        try:
            answer["locked_by"] = json.loads(lock.read())
        except ValueError:  # caught between truncate and write
            answer["locked_by"] = {}
        lock.close()
        return None
    lock.truncate()
    lock.write(json.dumps(owner))
    lock.flush()
    return lock


def system() -> Dict[str, Any]:
    return {
        "os_release": os_release(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "hostname": socket.gethostname(),
        "machine_id": first_line("/etc/machine-id"),
        "boot_id": first_line("/proc/sys/kernel/random/boot_id"),
        "init": first_line("/proc/1/comm"),
        "systemd_version": systemd_version(),
        "container": first_line("/run/systemd/container") or None,
        "selinux": {"1": "enforcing", "0": "permissive"}.get(first_line("/sys/fs/selinux/enforce")),
        "uid": os.geteuid(),
        "commands": {name: shutil.which(name, path=search_path()) for name in COMMANDS},
    }


def systemd_version() -> "Optional[int]":
    """257 from ``systemd 257 (257.9-1~deb13u1)``; a host without it has other troubles, told elsewhere."""
    systemctl = shutil.which("systemctl", path=search_path())
    if systemctl is None:
        return None
    words = subprocess.check_output([systemctl, "--version"]).split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def pythons() -> Dict[str, Any]:
    names = ["python3"] + [f"python3.{minor}" for minor in range(8, 20)]
    others = {name: shutil.which(name, path=search_path()) for name in names}
    return {
        "python": {"path": sys.executable, "version": list(sys.version_info[:3])},
        "pythons": {name: path for name, path in others.items() if path},
    }


def cgroups() -> Dict[str, Any]:
    mounts = [line.split() for line in read("/proc/mounts").splitlines()]
    unified = any(mount[1] == "/sys/fs/cgroup" and mount[2] == "cgroup2" for mount in mounts)
    if unified:
        controllers = read("/sys/fs/cgroup/cgroup.controllers").split()
    else:
        options = {option for mount in mounts if mount[2] == "cgroup" for option in mount[3].split(",")}
        listed = [line.split() for line in read("/proc/cgroups").splitlines() if not line.startswith("#")]
        controllers = [name for name, _, _, enabled in listed if enabled == "1" and name in options]
    return {"cgroup_version": 2 if unified else 1, "cgroup_controllers": sorted(controllers)}


def kernel() -> Dict[str, Any]:
    filesystems = {line.split()[-1] for line in read("/proc/filesystems").splitlines() if line.strip()}
    status = dict(line.split(":", 1) for line in read("/proc/self/status").splitlines() if ":" in line)
    return {
        "modules": {name: module_state(name, filesystems) for name in MODULES},
        "capabilities": int(status["CapEff"], 16),
        "capability_bound": int(status["CapBnd"], 16),
        "sysctls": {
            name: first_line("/proc/sys/" + name.replace(".", "/"))
            for name in (
                "net.ipv4.ip_forward",
                "net.bridge.bridge-nf-call-iptables",
                "fs.inotify.max_user_instances",
            )
        },
        "seccomp": os.path.exists("/proc/sys/kernel/seccomp/actions_avail"),
    }


def module_state(name: str, filesystems: "set[str]") -> str:
    """``loaded`` (or built in), ``available`` to modprobe, or ``missing``."""
    proofs = {
        "overlay": "overlay" in filesystems,
        "br_netfilter": os.path.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"),
        "nf_conntrack": os.path.exists("/proc/sys/net/netfilter/nf_conntrack_max"),
        "ip_tables": os.path.exists("/proc/net/ip_tables_names"),
    }
    if proofs.get(name) or os.path.isdir("/sys/module/" + name):
        return "loaded"
    modprobe = shutil.which("modprobe", path=search_path())
    if modprobe and subprocess.call([modprobe, "-n", "-q", name], stderr=subprocess.DEVNULL) == 0:
        return "available"
    return "missing"


def memory() -> Dict[str, Any]:
    fields = dict(line.split(":", 1) for line in read("/proc/meminfo").splitlines())
    swaps = [line.split()[0] for line in read("/proc/swaps").splitlines()[1:]]
    return {"memory_bytes": int(fields["MemTotal"].split()[0]) * 1024, "swaps": swaps, "cpus": os.cpu_count()}


def disks() -> Dict[str, Any]:
    found = {}
    for directory in DIRECTORIES:
        if os.path.isdir(directory):
            usage = os.statvfs(directory)
            found[directory] = {
                "device": os.stat(directory).st_dev,
                "free_bytes": usage.f_bavail * usage.f_frsize,
                "free_inodes": usage.f_favail if usage.f_files else None,  # btrfs counts none
            }
    return {"disks": found}


def overlay() -> Dict[str, Any]:
    """Mount an overlay where containerd will: in a child with its own mount namespace."""
    base = next(path for path in ("/var/lib/containerd", "/var/lib") if os.path.isdir(path))
    directory = tempfile.mkdtemp(prefix=".nodestrap-", dir=base)
    reader, writer = os.pipe()
    try:
        child = os.fork()
        if child == 0:
            os.write(writer, try_overlay(directory).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answer:
            error = answer.read()
        os.waitpid(child, 0)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return {"overlay_error": error or None, "overlay_directory": base}


def try_overlay(directory: str) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        return "no mount namespace: " + os.strerror(ctypes.get_errno())
    for name in ("lower", "upper", "work", "merged"):
        os.mkdir(os.path.join(directory, name))
    options = f"lowerdir={directory}/lower,upperdir={directory}/upper,workdir={directory}/work"
    if libc.mount(b"overlay", os.path.join(directory, "merged").encode(), b"overlay", 0, options.encode()):
        return os.strerror(ctypes.get_errno())
    return ""


def networks() -> Dict[str, Any]:
    """Networks that the host is on: routes without a router, but for those of every host."""
    found = []
    for line in read("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        if fields[2] == "00000000" and fields[7] != "00000000":
            address, mask = (socket.inet_ntoa(bytes.fromhex(fields[index])[::-1]) for index in (1, 7))
            found.append(f"{address}/{bin(int.from_bytes(socket.inet_aton(mask), 'big')).count('1')}")  # noqa: FURB161 - Python 3.6
    try:
        routes = read("/proc/net/ipv6_route").splitlines()
    except OSError:  # IPv6 is off
        routes = []
    for line in routes:
        fields = line.split()
        length, flags = int(fields[1], 16), int(fields[8], 16)
        local = fields[9] == "lo" or fields[0].startswith(("fe8", "ff"))
        if fields[4] == "0" * 32 and 0 < length < 128 and not local and not flags & 0x200:  # RTF_REJECT
            found.append(f"{socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0]))}/{length}")
    return {"networks": sorted(set(found))}


def listeners() -> Dict[str, Any]:
    """Listening TCP ports with the name of whoever listens."""
    inodes = {}  # type: Dict[str, int]
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read(table).splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                inodes[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    owners = socket_owners(set(inodes)) if inodes else {}
    ports = {}  # type: Dict[str, str]
    for inode, port in inodes.items():
        ports[str(port)] = owners.get(inode) or ports.get(str(port)) or "unknown"
    return {"listening": ports}


def socket_owners(inodes: "set[str]") -> Dict[str, str]:
    owners = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("socket:[") and target[8:-1] in inodes:
                    owners[target[8:-1]] = first_line(f"/proc/{pid}/comm")
        except OSError:  # ended meanwhile
            continue
    return owners


def runtimes() -> Dict[str, Any]:
    return {
        "runtimes": {
            name: path for name in RUNTIMES for path in [shutil.which(name, path=search_path())] if path
        },
        "runtime_sockets": [path for path in SOCKETS if answers(path)],
        "managed": os.path.lexists("/opt/pycri/current"),  # nodestrap was here before
        "runc_version": runc_version(),
    }


def runc_version() -> "Optional[str]":
    """``runc version 1.1.5+ds1``; None when there is none."""
    runc = shutil.which("runc", path=search_path())
    if runc is None:
        return None
    done = subprocess.run([runc, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode(errors="replace").partition("\n")[0] or None


def answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(path) == 0


def os_release() -> Dict[str, str]:
    values = {}
    for line in read("/etc/os-release").splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values[key] = value.strip().strip("\"'")
    return values


def search_path() -> str:
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def first_line(path: str) -> str:
    """The first line, or nothing when the file is not there (sysfs and procfs: the feature is not there)."""
    try:
        return read(path).split("\n", 1)[0].strip()
    except OSError:
        return ""


def read(path: str) -> str:
    with open(path, errors="replace") as stream:
        return stream.read()


GATHERERS = (system, pythons, cgroups, kernel, memory, disks, overlay, networks, listeners, runtimes)

if __name__ == "__main__":
    main()
