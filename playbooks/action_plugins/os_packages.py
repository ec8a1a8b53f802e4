"""Controller's half of ``os_packages``: a host of which nothing is wanted is not asked."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Release files take the packages' place often enough: an empty list costs no connection."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if not any(arguments.get(name) for name in ("names", "replaces", "without")):
            return result | {"changed": False, "versions": {}, "installed": [], "paths": [], "effects": []}
        answer: dict[str, Any] = self._execute_module(
            "os_packages", module_args=arguments, task_vars=task_vars
        )
        return result | answer
