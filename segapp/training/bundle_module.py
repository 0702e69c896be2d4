"""The Lightning module that scores a bundle, whose exported networks cannot be trained."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from segapp.checkpoints.bundle import Bundle, read_bundle
from segapp.errors import MisuseError
from segapp.inference.open import open_networks
from segapp.inference.runtime import Runtime
from segapp.spec import Spec
from segapp.training.scoring import ScoringModule

PREDICTION = ("symmetries", "scales", "average", "min_object", "min_hole")
"""Settings of predictions that are taken from the bundle's spec."""


class BundleModule(ScoringModule):
    """Scores the networks of a bundle, averaged and cleaned by its spec.

    Args:
        bundle: Its folder.
        allow: Classes or packages outside segapp that it may use.
        spec: The data's, whose windows are used; linked from the data module by the command line.

    Raises:
        MisuseError: The folder is no bundle, or its networks cannot be opened.
    """

    def __init__(self, bundle: str, allow: Sequence[str] = (), spec: Spec | None = None) -> None:
        if spec is None:
            raise MisuseError("BundleModule needs the data's spec: pass spec=datamodule.spec.")
        found = read_bundle(bundle)
        # Lightning's accelerator is the CPU: ONNX Runtime and OpenVINO choose threads, torch chooses its device here
        networks = open_networks([found.folder], allow, "auto" if found.format == "weights" else "cpu")
        kept = {name: getattr(found.spec, name) for name in PREDICTION} | {"precision": networks.spec.precision}
        super().__init__(replace(spec, **kept))
        self._runtime = networks.make_runtime(self.spec)

    def make_runtime(self) -> Runtime:
        """Return the runtime of the bundle's networks."""
        return self._runtime


def list_settings(bundle: Bundle, allow: Sequence[str] = ()) -> dict[str, Any]:
    """Return the settings for scoring a bundle: its windows, and no precision of Lightning's.

    Args:
        bundle: Its spec has the windows.
        allow: Classes or packages that the user named.
    """
    spec = bundle.spec
    data = {"overlap": spec.overlap, "blend": spec.blend, "window": list(spec.window)}
    data |= {"resize": list(spec.resize)} if spec.resize else {}
    model = {"bundle": str(bundle.folder), "allow": list(allow)}
    return {"model": model, "data": data, "trainer": {"precision": "32-true", "accelerator": "cpu"}}
