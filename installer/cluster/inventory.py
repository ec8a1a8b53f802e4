"""From an inventory to a ClusterSpec, or to one error that lists everything wrong with it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from installer.cluster.spec import CONTROL_PLANE, NODES, WORKERS, ClusterSpec, HostSpec
from installer.cluster.state import clusters_dir
from installer.cluster.variables import Specs, known_variables, problems
from installer.errors import InventoryError
from installer.ssh.settings import connection_settings
from installer.suggest import did_you_mean

_GROUPS = {"all", "ungrouped", NODES, CONTROL_PLANE, WORKERS}
# Settings of the whole cluster: a host with a value of its own would be half in another cluster.
_CLUSTER_WIDE = ("nodestrap_cluster_name", "nodestrap_known_hosts_file", "nodestrap_local_groups")
_READ_TIMEOUT = 120  # seconds; a dynamic inventory may ask a slow cloud
_SECRET_WORDS = ("password", "_pass", "secret", "token", "private_key", "credentials")


def read_cluster(
    sources: Iterable[str],
    *,
    limit: str | None = None,
    vault_password_files: Iterable[str] = (),
    passwords: Mapping[str, str] | None = None,
) -> ClusterSpec:
    """Read an inventory (INI, YAML, script, directory; several are merged) as Ansible does.

    ``passwords`` (ansible_password, ansible_become_password), asked at the terminal, apply where the
    inventory has none. Raises InventoryError.
    """
    paths = tuple(_absolute(source) for source in sources)
    vault = tuple(str(Path(name).expanduser().resolve()) for name in vault_password_files)
    answer = _ask_ansible(paths, limit, vault)
    specs = known_variables()
    _check(answer, specs, paths)
    hosts = tuple(
        _host(name, entry, passwords or {}) for name, entry in answer["hosts"].items() if entry["selected"]
    )
    if not hosts:
        raise _nothing_selected(answer, limit)
    name = _cluster_wide(answer, "nodestrap_cluster_name") or _default_name(paths)
    state_dir = clusters_dir() / str(name)
    known_hosts = _cluster_wide(answer, "nodestrap_known_hosts_file")
    return ClusterSpec(
        name=str(name),
        inventory=paths,
        hosts=tuple(host for host in hosts if host.groups & {CONTROL_PLANE, WORKERS}),
        excluded=tuple(host for host, entry in answer["hosts"].items() if not entry["selected"]),
        unmatched=tuple(host.name for host in hosts if not host.groups & {CONTROL_PLANE, WORKERS}),
        known_hosts_file=Path(str(known_hosts)).expanduser() if known_hosts else state_dir / "known_hosts",
        state_dir=state_dir,
        secrets=frozenset(_secrets(answer, passwords or {})),
        vault_password_files=vault,
    )


def _absolute(source: str) -> str:
    """A path made absolute; ``host1,host2,`` is Ansible's inline inventory and stays as it is."""
    if "," in source:
        return source
    path = Path(source).expanduser().resolve()
    if not path.exists():
        raise InventoryError(
            f"there is no inventory {source}", fix="name a file, a directory or a script with -i"
        )
    return str(path)


def _ask_ansible(sources: tuple[str, ...], limit: str | None, vault: tuple[str, ...]) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    for kept in ("ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST"):
        if kept in os.environ:
            environment[kept] = os.environ[kept]
    # The user's ansible.cfg could choose other plugins and paths; here it is as if there were none.
    environment |= {
        "ANSIBLE_CONFIG": str(Path(__file__).with_name("defaults.cfg")),
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
    }
    request = {"sources": list(sources), "limit": limit, "vault_password_files": list(vault)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "installer.cluster.ansible_reader"],
            input=json.dumps(request).encode(),
            capture_output=True,
            env=environment,
            timeout=_READ_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InventoryError(f"the inventory did not answer within {_READ_TIMEOUT} s") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise InventoryError(f"Ansible cannot read the inventory: {reason}") from None
    if "error" in answer:
        raise InventoryError(
            f"Ansible cannot read the inventory: {answer['error']}",
            fix=f"see what `ansible-inventory -i {sources[0] if sources else 'INVENTORY'} --list` says",
        )
    return answer


def _check(answer: Mapping[str, Any], specs: Specs, sources: tuple[str, ...]) -> None:
    """Raise one InventoryError for every mistake there is; one that many hosts share is said once."""
    found: dict[str, list[str]] = {}
    groups = _GROUPS | _local(answer, "nodestrap_local_groups")
    for group, members in answer["groups"].items():
        if group not in groups:
            hint = did_you_mean(group, groups - {"all", "ungrouped"})
            found[f"unknown group {group!r}.{hint or ' (Your own? List it in nodestrap_local_groups.)'}"] = (
                members
            )
    for problem in _stray_files(answer, sources):
        found[problem] = []
    for host, entry in answer["hosts"].items():
        values, unresolved = _values(entry), _unresolved(entry)
        names_only = dict.fromkeys(unresolved)  # no value to judge, but the name must be known
        for problem in problems(names_only | values, specs, _local(answer, "nodestrap_local_variables")):
            found.setdefault(problem, []).append(host)
        for name, reason in unresolved.items():
            if name.startswith(("ansible_", "nodestrap_")):  # needed before any host is asked for facts
                found.setdefault(f"{name} cannot be resolved: {reason}", []).append(host)
    if found:
        lines = [f"{problem}{_whose(hosts, answer)}" for problem, hosts in found.items()]
        raise InventoryError(
            lines[0]
            if len(lines) == 1
            else f"{len(lines)} mistakes:" + "".join(f"\n  - {line}" for line in lines),
            step="inventory",
            fix="pass --vault-password-file or --ask-vault-pass"
            if any("vault secrets" in line for line in lines)
            else "correct the inventory; installer/README.md lists what it may say",
        )


def _stray_files(answer: Mapping[str, Any], sources: tuple[str, ...]) -> Iterator[str]:
    """group_vars and host_vars files that belong to nothing: Ansible never reads them, nor says so."""
    for source in (source for source in sources if "," not in source):
        base = Path(source) if Path(source).is_dir() else Path(source).parent
        for kind, known in (("group", {*answer["groups"], *_GROUPS}), ("host", set(answer["hosts"]))):
            for entry in sorted((base / f"{kind}_vars").glob("[!.]*")):
                suffix = entry.suffix if entry.suffix in (".yml", ".yaml", ".json") else ""
                name = entry.name.removesuffix(suffix)
                if name not in known:
                    yield f"{entry} belongs to no {kind}.{did_you_mean(name, known)}"


def _host(name: str, entry: Mapping[str, Any], passwords: Mapping[str, str]) -> HostSpec:
    variables = {**passwords, **_values(entry)}
    return HostSpec(
        name=name,
        groups=frozenset(entry["groups"]),
        connection=connection_settings(name, variables),
        variables=variables,
    )


def _values(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item["value"] for name, item in entry["variables"].items() if "value" in item}


def _unresolved(entry: Mapping[str, Any]) -> dict[str, str]:
    return {name: item["unresolved"] for name, item in entry["variables"].items() if "unresolved" in item}


def _cluster_wide(answer: Mapping[str, Any], name: str) -> Any:
    """A setting that every host must share."""
    by_value = {json.dumps(_values(entry).get(name)): host for host, entry in answer["hosts"].items()}
    if len(by_value) > 1:
        raise InventoryError(
            f"{name} differs between {' and '.join(sorted(by_value.values())[:2])}",
            step="inventory",
            fix="set it once, in group_vars/all.yml or under all: vars:",
        )
    return json.loads(next(iter(by_value), "null"))


def _local(answer: Mapping[str, Any], name: str) -> frozenset[str]:
    lists = (_values(entry).get(name) for entry in answer["hosts"].values())
    return frozenset(str(item) for names in lists if isinstance(names, list) for item in names)


def _secrets(answer: Mapping[str, Any], passwords: Mapping[str, str]) -> Iterator[str]:
    """Values that logs must not show: what the names of variables give away as secret."""
    yield from passwords.values()
    for entry in answer["hosts"].values():
        for name, value in _values(entry).items():
            if any(word in name for word in _SECRET_WORDS) and not name.endswith(("_file", "_mechanism")):
                yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
    elif isinstance(value, str) and len(value) >= 4:  # shorter ones would blank half of a log
        yield value


def _whose(hosts: list[str], answer: Mapping[str, Any]) -> str:
    if not hosts or len(hosts) == len(answer["hosts"]) > 1:
        return ""
    return f" (host{'s' if len(hosts) > 1 else ''} {', '.join(hosts)})"


def _nothing_selected(answer: Mapping[str, Any], limit: str | None) -> InventoryError:
    names = [*answer["hosts"], *answer["groups"]]
    if limit is not None:
        return InventoryError(
            f"--limit {limit!r} matches no host.{did_you_mean(limit, names)}", step="inventory"
        )
    return InventoryError(
        "the inventory has no hosts",
        step="inventory",
        fix=f"put hosts into the groups {CONTROL_PLANE} and {WORKERS}",
    )


def _default_name(sources: tuple[str, ...]) -> str:
    """``lab-1f2e3d4c``: people recognise the first part, the second keeps two clusters of one name apart."""
    first = Path(sources[0]) if sources else Path("cluster")
    stem = first.parent.name if first.stem in ("hosts", "inventory") else first.stem
    digest = hashlib.sha256("\0".join(sources).encode()).hexdigest()[:8]
    return f"{''.join(letter for letter in stem if letter.isalnum() or letter in '-_') or 'cluster'}-{digest}"
