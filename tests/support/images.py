"""Image services and images for integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from installer.lab.oci_images import Entry, Image, build_layer
from pycri.containerd import Containerd
from pycri.images import ImageService, pause
from tests.support.containerd import ContainerdHost


@asynccontextmanager
async def image_service(
    host: ContainerdHost,
    namespace: str = "k8s.io",
    *,
    sandbox_image: str = pause.NAME,
    certs_dir: Path | None = None,
    progress_timeout: float = 20.0,
    connections_per_layer: int = 1,
) -> AsyncIterator[tuple[ImageService, Containerd]]:
    """A started service over a client of its own; both closed at the end."""
    async with host.client(namespace) as client:
        service = ImageService(
            client,
            snapshotter="overlayfs",
            sandbox_image=sandbox_image,
            registry_config=certs_dir or host.certs_dir,
            max_concurrent_downloads=3,
            progress_timeout=progress_timeout,
            connections_per_layer=connections_per_layer,
        )
        await service.start()
        try:
            yield service, client
        finally:
            await service.close()


def small_image(
    *contents: bytes, config: dict[str, object] | None = None, architecture: str = "amd64"
) -> Image:
    """An image with one layer, holding one file, for each of ``contents``."""
    layers = tuple(build_layer([Entry(f"file{number}", content)]) for number, content in enumerate(contents))
    return Image(layers, config or {}, architecture)
