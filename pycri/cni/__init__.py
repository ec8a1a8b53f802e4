"""Pod networks through CNI plugins."""

from pycri.cni.config import ConfDirectory, Conflist
from pycri.cni.invoke import Attachment, PluginError, Plugins
from pycri.cni.network import Network

__all__ = ["Attachment", "ConfDirectory", "Conflist", "Network", "PluginError", "Plugins"]
