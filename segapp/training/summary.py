"""Format the end of a fit: its best scores and the next commands."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from segapp.checkpoints.checkpoint import read_checkpoint
from segapp.terminal.text import for_terminal


def format_summary(folder: Path, classes: Sequence[str], has_test: bool = True) -> str:
    """Format the best scores of a run, and the next commands; `segapp test` only where there are test images."""
    best = folder / "checkpoints" / "best.ckpt"
    if not best.is_file() and not best.with_name("last.ckpt").is_file():
        return "\nNo checkpoint was kept: nothing was trained, or it was a fast_dev_run."
    if not best.is_file():
        why = "nothing was validated, or it was a fast_dev_run"
        return f"\nNo best checkpoint was kept: {why}; the last is in {best.parent}."
    quoted = shlex.quote(str(best))
    record = read_checkpoint(str(best))["segapp"]
    width = max(len(for_terminal(name)) for name in (*classes, "mean"))
    lines = [f"\nbest validation ({best})", f"  {'class':<{width}}   Dice    IoU"]
    for name in (*classes, "mean"):
        suffix = "" if name == "mean" else f"/{name}"
        dice, iou = (record["scores"].get(f"val/{score}/dataset{suffix}") for score in ("dice", "iou"))
        lines.append(f"  {for_terminal(name):<{width}}  {_format_score(dice)}  {_format_score(iou)}")
    lines += [
        f"report: {folder / 'report.html'}",
        *([f"next:   segapp test --ckpt_path {quoted}"] if has_test else []),
        f"{'     ' if has_test else 'next:'}   segapp predict --ckpt_path {quoted} --images FOLDER --output masks",
    ]
    return "\n".join(lines)


def _format_score(score: float | None) -> str:
    return "  -  " if score is None or score != score else f"{score:.3f}"
