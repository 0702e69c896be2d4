"""Choose how often crops are centred on rare classes, and the weights of classes in the loss."""

import numpy as np

from segapp.loading.messages import format_some
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import Fingerprint
from segapp.planning.sizes import RARE, PlannedSizes

SPARSE = 0.05
"""Where less than this fraction is foreground, random crops often show only background."""
OVERSAMPLED = 0.33
"""Fraction of crops centred on a class, as nnU-Net's."""
WEIGHTED = 0.05
"""In the cross-entropy, a class of fewer pixels than this counts as if it had as many."""
MAX_WEIGHT = 8.0


def choose_sampling(fingerprint: Fingerprint, sizes: PlannedSizes) -> list[Decision]:
    """Centre a third of the crops on the classes where random crops would miss some of them."""
    fractions = fingerprint.class_fractions
    foreground = [i for i in range(len(fractions)) if i != fingerprint.background and fractions[i] > 0]
    rarest = min(foreground, key=lambda i: fractions[i])
    covered = float(fractions[foreground].sum())
    if sizes.is_reduced or sizes.visible >= 0.9:
        reason = "A sample shows the whole image, and so all of its classes."
        return [Decision("data.oversample", 0.0, reason)]
    if covered < SPARSE or fractions[rarest] < RARE or _is_in_few_images(fingerprint, rarest):
        reason = (
            f"{fingerprint.classes[rarest]} has {fractions[rarest]:.2%} of the pixels and is in "
            f"{fingerprint.images_with[rarest]} of {len(fingerprint.images)} images: a third of the crops is centred "
            "on one of the classes, each as often."
        )
        return [Decision("data.oversample", OVERSAMPLED, reason)]
    reason = (
        f"The rarest class, {fingerprint.classes[rarest]}, has {fractions[rarest]:.1%} of the pixels: random crops do."
    )
    return [Decision("data.oversample", 0.0, reason)]


def choose_loss(fingerprint: Fingerprint, deep_supervision: int) -> list[Decision]:
    """Choose Dice over the batch with cross-entropy, whose weights rise for classes under `WEIGHTED`."""
    fractions = fingerprint.class_fractions
    rare = [i for i, fraction in enumerate(fractions) if 0 < fraction < WEIGHTED]
    settings: dict[str, object] = {"reduce": "batch"}
    reason = (
        "Dice sums over the whole batch, so that a class which is absent from an image is not pushed away; with "
        "cross-entropy, as nnU-Net."
    )
    if rare:
        weights = np.ones(len(fractions))
        weights[rare] = [min(MAX_WEIGHT, WEIGHTED / fractions[i]) for i in rare]
        settings["class_weights"] = [round(float(weight), 2) for weight in weights]
        rarest_first = sorted(rare, key=lambda i: fractions[i])
        names = format_some([f"{fingerprint.classes[i]} ({fractions[i]:.2%})" for i in rarest_first], shown=4)
        reason += (
            f" Classes under {WEIGHTED:.0%} of the pixels weigh more in the cross-entropy, up to {MAX_WEIGHT:g} times, "
            f"or a short training would never predict them: {names}."
        )
    else:
        reason += f" No class is under {WEIGHTED:.0%} of the pixels, so all weigh the same."
    loss = {"class_path": "segapp.losses.DiceCrossEntropy", "init_args": settings}
    if deep_supervision:
        loss = {"class_path": "segapp.losses.DeepSupervision", "init_args": {"loss": loss}}
    return [Decision("model.loss", loss, reason)]


def _is_in_few_images(fingerprint: Fingerprint, index: int) -> bool:
    return bool(fingerprint.images_with[index] < 0.3 * len(fingerprint.images))
