"""TLS towards one host, as its hosts.toml asks for it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pycri.images.registry.errors import RegistryError

if TYPE_CHECKING:
    from pycri.images.registry.hosts import Host


def tls_context(host: Host) -> ssl.SSLContext:
    """The system's CAs and the host's, its client certificates; no verification if it says so.

    Raises RegistryError, naming the file that cannot be used.
    """
    context = ssl.create_default_context()
    if host.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for ca in host.ca:
        _load(partial(context.load_verify_locations, ca), f"{host.url}: CA file {ca}")
    for certificate, key in host.client:
        _load(
            partial(context.load_cert_chain, certificate, key),
            f"{host.url}: client certificate {certificate}",
        )
    return context


def _load(load: Callable[[], None], what: str) -> None:
    try:
        load()
    except OSError as error:  # ssl.SSLError is one
        raise RegistryError(f"{what}: {error}", status=400) from None
