"""Controller's half of ``install_artifact``: sends the release file only to a host that needs it."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Asks the module first; it says whether the host lacks anything."""

    TRANSFERS_FILES = False  # a temporary directory on the host is made when the file is sent, not before
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if "artifacts" in arguments:
            return result | self._several(arguments["artifacts"], task_vars)
        return result | self._one(arguments, task_vars)

    def _several(self, artifacts: list[dict[str, Any]], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """One question about all of them; then one by one those that the host lacks. An empty list costs no
        connection."""
        total: dict[str, Any] = {"changed": False, "lacking": [], "paths": [], "effects": []}
        if not artifacts:
            return total
        asked: dict[str, Any] = self._execute_module(
            "install_artifact", module_args={"artifacts": artifacts}, task_vars=task_vars
        )
        if "lacking" not in asked:
            return asked  # it failed, and says why
        total["lacking"] = asked["lacking"]
        for artifact in (each for each in artifacts if each["receipt"] in asked["lacking"]):
            answer = self._one(dict(artifact), task_vars)
            if answer.get("failed") or answer.get("unreachable"):
                return total | answer
            total["changed"] |= bool(answer.get("changed"))
            total["paths"] += answer.get("paths", [])
            total["effects"] += answer.get("effects", [])
        return total

    def _one(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            "install_artifact", module_args=arguments, task_vars=task_vars
        )
        if answer.get("needs_members"):  # check mode: only what is in the archive, not the archive
            listed = {**arguments, "members": list(_members(self._source(arguments)))}
            answer = self._execute_module("install_artifact", module_args=listed, task_vars=task_vars)
        if answer.get("needs_archive"):
            answer = self._send(arguments, task_vars)
        return answer

    def _source(self, arguments: dict[str, Any]) -> str:
        source = arguments.get("src")
        try:
            return str(self._loader.get_real_file(str(source), decrypt=False))
        except Exception as error:
            raise AnsibleActionFail(f"{source}: {error}") from error

    def _send(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        path = self._source(arguments)
        self._make_tmp_path()
        try:
            archive = self._transfer_file(
                path, self._connection._shell.join_path(self._connection._shell.tmpdir, "archive")
            )
            self._fixup_perms2((self._connection._shell.tmpdir, archive))
            answer: dict[str, Any] = self._execute_module(
                "install_artifact", module_args={**arguments, "archive": archive}, task_vars=task_vars
            )
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
            self._connection._shell.tmpdir = None  # the next file gets a directory of its own
        return answer


def _members(archive: str) -> Iterator[dict[str, Any]]:
    """Name, mode and sha256 of each plain file in a tar.gz."""
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
                yield {"name": member.name, "mode": member.mode, "sha256": digest}
