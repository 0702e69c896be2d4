"""What a bundle says where a checkpoint has the settings it was trained with."""

from collections.abc import Sequence
from dataclasses import replace

import yaml

from segapp.checkpoints.bundle import Bundle
from segapp.inference.open import open_networks
from segapp.training.module import SegmentationModule

CHOICES = ("symmetries", "scales", "average", "min_object", "min_hole")
"""What a bundle's spec says of better predictions: scored as it predicts."""


def read_settings(bundle: Bundle) -> str:
    """Read a bundle's settings as YAML.

    Windows as saved, no network to build, and no precision of Lightning's, which computes nothing.
    """
    spec = bundle.spec
    data = {"overlap": spec.overlap, "blend": spec.blend, "window": list(spec.window)}
    data |= {"resize": list(spec.resize)} if spec.resize else {}
    model = {
        "net": {"class_path": "segapp.training.module.Exported"},
        "loss": {"class_path": "torch.nn.Identity"},
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
    }
    trainer = {"precision": "32-true", "accelerator": "cpu"}
    return yaml.safe_dump({"model": model, "data": data, "trainer": trainer}, sort_keys=False)


def compute_with(bundle: Bundle, model: SegmentationModule, allowed: Sequence[str]) -> None:
    """Compute with the bundle's networks, averaged and cleaned as its spec says.

    Windows are those of the data section.
    """
    networks = open_networks([bundle.folder], allowed, "auto" if bundle.format == "weights" else "cpu")
    kept = {name: getattr(bundle.spec, name) for name in CHOICES} | {"precision": networks.spec.precision}
    model.spec = replace(model.spec, **kept)
    model.runtime = networks.runtime(model.spec)
