"""From a redeemed token to its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycri.io.exec_process import ExecRunner
from pycri.io.table import ContainerTable
from pycri.streaming import negotiate
from pycri.streaming.attach import AttachSession
from pycri.streaming.exec import ExecSession
from pycri.streaming.http import Request
from pycri.streaming.port_forward import PortForwardSession
from pycri.streaming.server import Handler, Session
from pycri.streaming.sessions import AttachRequest, ExecRequest, SessionRequest

if TYPE_CHECKING:
    from pycri.containerd.tasks import Tasks


def session_handler(containers: ContainerTable, execs: ExecRunner, tasks: Tasks) -> Handler:
    """Makes sessions on these containers. The handler raises BadRequest where no protocol is agreed on."""

    def handle(request: Request, session: SessionRequest) -> Session:
        if isinstance(session, ExecRequest):
            return ExecSession(execs, session, *negotiate.channels(request, session))
        if isinstance(session, AttachRequest):
            return AttachSession(containers, tasks, session, *negotiate.channels(request, session))
        return PortForwardSession(session, *negotiate.forwards(request, session))

    return handle
