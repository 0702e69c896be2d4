"""The options of `segapp test` alone: further scores, and the unit of distances."""

from typing import TYPE_CHECKING

from jsonargparse import Namespace

from segapp.metrics import BoundaryUnit, CentrelineDice
from segapp.metrics.centreline import require_skeletons

if TYPE_CHECKING:
    from segapp.loading.datamodule import SegmentationDataModule
    from segapp.training.scoring import ScoringModule


def apply_scoring_options(settings: Namespace, model: "ScoringModule") -> None:
    """Make the module score what `--cldice` and `--tolerance` ask for; MisuseError where scikit-image is missing."""
    if settings.cldice:
        require_skeletons()
        model.more_scores = (CentrelineDice,)
    if settings.tolerance is not None:
        model.unit = BoundaryUnit.parse(settings.tolerance)


def require_pixel_sizes(unit: BoundaryUnit, data: "SegmentationDataModule") -> None:
    """Raise MisuseError for a test image whose file does not say how large its pixels are, where the unit needs it."""
    sizes = data.list_pixel_sizes("test") if unit.name else {}  # headers are not read for nothing
    for name, size in sizes.items():
        unit.fit(size, name)
