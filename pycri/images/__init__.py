"""Images: the six verbs of the CRI's ImageService, and the store behind them."""

from pycri.images.record import ImageRecord
from pycri.images.service import ImageService

__all__ = ["ImageRecord", "ImageService"]
