"""The scores of other tools under their own rules, from the counts that segapp keeps."""

from segapp.metrics.tools.libraries import SciKitLearn, Smp, TorchMetrics
from segapp.metrics.tools.medical import Monai, NnUNet
from segapp.metrics.tools.scenes import CamVid, Cityscapes, MmSegmentation, TorchGeo
from segapp.metrics.tools.set_counts import ImageCounts, SetCounts, count_image
from segapp.metrics.tools.tool import Tool, ToolScores

TOOLS: dict[str, Tool] = {
    "nnunet": NnUNet(),
    "monai": Monai(),
    "mmseg": MmSegmentation(),
    "torchmetrics": TorchMetrics(),
    "smp": Smp(),
    "cityscapes": Cityscapes(),
    "sklearn": SciKitLearn(),
    "camvid": CamVid(),
    "torchgeo": TorchGeo(),
}
"""By the values of `segapp metrics --as`; a new one is a class and one line here."""

__all__ = ["TOOLS", "ImageCounts", "SetCounts", "Tool", "ToolScores", "count_image"]
