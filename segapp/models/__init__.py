"""Networks in pure torch; those of segmentation-models-pytorch are in `segapp.models.smp`."""

from segapp.models.blocks import BlockStyle
from segapp.models.encoders import Encoder, PlainEncoder
from segapp.models.match_widths import count_params, match_params
from segapp.models.named_init import NamedInit
from segapp.models.normalise import Normalise
from segapp.models.skips import LongSkip
from segapp.models.unet import UNet

__all__ = [
    "UNet",
    "Encoder",
    "PlainEncoder",
    "LongSkip",
    "BlockStyle",
    "Normalise",
    "NamedInit",
    "match_params",
    "count_params",
]
