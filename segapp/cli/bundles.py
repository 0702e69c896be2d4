"""What a bundle says where a checkpoint has the settings it was trained with."""

import yaml

from segapp.inference.bundle import Bundle

CHOICES = ("symmetries", "scales", "average", "min_object", "min_hole")
"""What a bundle's spec says of better predictions: scored as it predicts."""


def settings_of(bundle: Bundle) -> str:
    """As YAML: windows as saved, no network to build, and no precision of Lightning's, which computes nothing."""
    spec = bundle.spec
    data = {"overlap": spec.overlap, "blend": spec.blend, "window": list(spec.window)}
    data |= {"resize": list(spec.resize)} if spec.resize else {}
    model = {
        "net": {"class_path": "segapp.module.Exported"},
        "loss": {"class_path": "torch.nn.Identity"},
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
    }
    trainer = {"precision": "32-true", "accelerator": "cpu"}
    return yaml.safe_dump({"model": model, "data": data, "trainer": trainer}, sort_keys=False)
