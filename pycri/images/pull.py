"""PullImage (cri-api: ImageService)."""

from __future__ import annotations

from pycri._generated import cri_pb2
from pycri.images import reference
from pycri.images.puller import Puller
from pycri.images.record import ImageRecord
from pycri.images.single_flight import SingleFlight


async def pull_image(
    puller: Puller, pulls: SingleFlight[ImageRecord], request: cri_pb2.PullImageRequest
) -> cri_pb2.PullImageResponse:
    """Pull, or join the same pull under way; ``image_ref`` in the response is the image's id.

    A pull goes on when its caller's deadline passes, and the retry finds it further along. Only a caller
    with the same credentials joins: another's may not be allowed to have the image.
    """
    from pycri.images.registry.credentials import from_cri

    wanted = reference.parse(request.image.image)
    credentials = from_cri(request.auth, wanted.domain)
    record = await pulls.do((str(wanted), credentials), lambda: puller.pull(wanted, credentials))
    return cri_pb2.PullImageResponse(image_ref=record.id)
