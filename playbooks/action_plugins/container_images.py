"""Controller's half of ``container_images``: sends each archive only to a host that lacks what is in it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Asks the module first; it names the archives that the host lacks. One at a time: they are large."""

    TRANSFERS_FILES = False  # a temporary directory on the host is made when a file is sent, not before
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if not arguments.get("archives"):
            return result | {"changed": False, "imported": [], "effects": []}
        answer = self._execute_module("container_images", module_args=arguments, task_vars=task_vars)
        for source in answer.get("needs_archives") or ():
            sent = self._send(source, arguments, task_vars)
            if sent.get("failed"):
                return result | sent
        return result | answer

    def _send(
        self, source: str, arguments: dict[str, Any], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        try:
            path = self._loader.get_real_file(source, decrypt=False)
        except Exception as error:
            raise AnsibleActionFail(f"{source}: {error}") from error
        self._make_tmp_path()
        shell = self._connection._shell
        try:
            remote = self._transfer_file(path, shell.join_path(shell.tmpdir, "archive"))
            self._fixup_perms2((shell.tmpdir, remote))
            arguments = {**arguments, "source": source, "archive": remote}
            answer: dict[str, Any] = self._execute_module(
                "container_images", module_args=arguments, task_vars=task_vars
            )
        finally:
            self._remove_tmp_path(shell.tmpdir)
            shell.tmpdir = None  # the next archive gets a directory of its own
        return answer
