"""What a fit ends with: its best scores, and what to type next."""

from collections.abc import Sequence
from pathlib import Path

from segapp.inference import read_checkpoint


def summary(folder: Path, classes: Sequence[str]) -> str:
    best = folder / "checkpoints" / "best.ckpt"
    if not best.is_file():
        return f"\nNothing was validated, so no best checkpoint exists; the last is in {best.parent}."
    record = read_checkpoint(str(best))["segapp"]
    width = max(len(name) for name in (*classes, "mean"))
    lines = [f"\nbest validation ({best})", f"  {'class':<{width}}   Dice    IoU"]
    for name in (*classes, "mean"):
        suffix = "" if name == "mean" else f"/{name}"
        dice, iou = (record["scores"].get(f"val/{score}/dataset{suffix}") for score in ("dice", "iou"))
        lines.append(f"  {name:<{width}}  {_figure(dice)}  {_figure(iou)}")
    lines += [
        f"curves: {folder / 'curves.png'}",
        "next:   segapp test --ckpt_path " + str(best),
        "        segapp predict --ckpt_path " + str(best) + " --images FOLDER --output masks",
    ]
    return "\n".join(lines)


def _figure(score: float | None) -> str:
    return "  -  " if score is None or score != score else f"{score:.3f}"
