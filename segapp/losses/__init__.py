"""Losses: logits (N, K, H, W) of any float dtype, mask (N, H, W) int64 with 255 = ignore → scalar.

All compute in float32 (float64 where the logits are), leave out ignored pixels in value and gradient alike, and give 0
with a gradient of 0 where every pixel is ignored. segmentation-models-pytorch's are not used because there
Dice gives no gradient for false positives of an absent class, smoothed cross-entropy divides by ignored pixels too, and
focal and Lovász fail on a batch that is ignored throughout. Mask values are trusted: the data sets check them.

In a training step on several processes (`segapp.losses.distributed.share_batch`) every loss is that of the one batch
they share, in value and, once the processes' gradients are averaged, in gradient, however ignored pixels are spread.
Only a surrogate that sorts its pixels, Lovász over the `batch`, cannot be: `SegmentationModule` refuses it there.
Batches whose gradients are accumulated stay separate batches.

All take, as third argument, the classes that were looked for in each image (`PartialLabels`); the loss is then that of
a problem in which the others are background in this image.
"""

from segapp.losses.deep_supervision import DeepSupervision
from segapp.losses.lovasz import Lovasz
from segapp.losses.overlap import Dice, DiceCrossEntropy, Tversky
from segapp.losses.partial_labels import PartialLabels, list_partial_labels
from segapp.losses.pixelwise import CrossEntropy, Focal, PixelwiseLoss
from segapp.losses.weights import ClassWeights, Weights

__all__ = [
    "ClassWeights",
    "CrossEntropy",
    "DeepSupervision",
    "Dice",
    "DiceCrossEntropy",
    "Focal",
    "Lovasz",
    "PartialLabels",
    "PixelwiseLoss",
    "Tversky",
    "Weights",
    "list_partial_labels",
]
