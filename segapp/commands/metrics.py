"""`segapp metrics`: scores of two folders of masks, whoever made them, under the rules of any tool."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from segapp.datasets.class_presence import map_in_threads
from segapp.datasets.mask_pairs import MaskPair, pair_masks
from segapp.datasets.masks.class_values import ClassValues, find_background
from segapp.datasets.masks.encoded_mask import EncodedMask
from segapp.datasets.masks.encoding import Labels, MaskFile, PixelEncoding
from segapp.datasets.masks.values import Indices
from segapp.datasets.predicted_masks import require_class
from segapp.errors import MisuseError
from segapp.io import FilePart, require_free
from segapp.metrics import TEST_SCORES, BoundaryUnit, CentrelineDice, Evaluation, ImageRows, Score, ScoreCollector
from segapp.metrics.centreline import require_skeletons
from segapp.metrics.tools import TOOLS, ImageCounts, SetCounts, Tool, ToolScores, count_image
from segapp.metrics.tools.own import Segapp
from segapp.metrics.tools.table import format_scores
from segapp.planning.mask_section import read_mask_section
from segapp.report.evaluation_files import convert_scores, describe_evaluation, write_json, write_rows
from segapp.terminal.text import for_terminal

FILES = ("metrics.json", "per_image.csv")

ToolName = Literal[
    "segapp",
    "nnunet",
    "monai",
    "mmseg",
    "torchmetrics",
    "smp",
    "cityscapes",
    "sklearn",
    "camvid",
    "torchgeo",
]


def metrics(
    predictions: str,
    truth: str,
    as_: ToolName = "segapp",
    classes: str = "",
    ignore: str = "auto",
    background: str = "",
    data: str = "",
    prediction_data: str = "",
    tolerance: float = BoundaryUnit().tolerance,
    spacing: str = "",
    cldice: bool = False,
    output: str = "",
    overwrite: bool = False,
) -> int:
    """Score a folder of predicted masks against a folder of true masks, whoever made them, by the rules of any tool.

    Masks are paired by name. Below the scores, sentences say why they differ from those of other tools: what was left
    out, and what counted as 0. docs/scores.md has the rules of every tool.

    Args:
        predictions: Folder of predicted masks, in any format that is read.
        truth: Folder of true masks with the same names; suffixes may differ.
        as_: Whose rules: those of segapp (also boundary scores), or of another tool.
        classes: Names of the classes in the order of their values, as background,cell; or with their values in the
            masks, as background=0,cell=255.
        ignore: Values in the true masks that are not scored, separated by commas; none; auto: 255, unless it is a
            class.
        background: Name of the class that is left out of means; default: every class counts.
        data: Data section that describes the true masks, as configs/data/mine.yaml, instead of classes, ignore and
            background; predictions then hold class indices, as `segapp predict` writes them.
        prediction_data: Data section that describes the predicted masks, if they hold something else.
        tolerance: Distance that surface Dice tolerates, in pixels, or in the unit of spacing.
        spacing: Height and width of a pixel, as 0.5,0.25 in mm: surface Dice, HD95, HD and ASSD are then measured in
            this unit; default: in pixels.
        cldice: Score the centreline Dice of tubes such as vessels too, which takes time.
        output: Folder for metrics.json and per_image.csv; default: they are not written.
        overwrite: Whether to replace the files of an earlier call.
    """
    unit = _describe_unit(as_, tolerance, spacing)
    if cldice:
        if as_ != "segapp":
            raise MisuseError("--cldice is computed --as segapp only.")
        require_skeletons()
    reader = _describe_masks(classes, ignore, background, data, prediction_data)
    folder = Path(output) if output else None
    if folder is not None:
        require_free(folder, FILES, overwrite)
    pairs = pair_masks(Path(predictions), Path(truth))
    kinds: tuple[type[Score], ...] = (*TEST_SCORES, CentrelineDice) if cldice else TEST_SCORES
    collector = ScoreCollector(reader.classes, reader.background, kinds, unit=unit) if as_ == "segapp" else None
    counts, evaluation = _count(pairs, reader, collector)
    tool = TOOLS.get(as_, Segapp())
    scores, sentences = tool.score(counts), tool.explain(counts)
    print(f"{for_terminal(tool.title)}: {len(pairs)} images" if evaluation is None else evaluation)
    if evaluation is None:
        print(format_scores(scores, counts.classes))
    print("What decided these numbers:")
    for sentence in [*sentences, *([] if evaluation is not None else [_compare_with_segapp(counts)])]:
        print(f"  - {for_terminal(sentence)}")
    if folder is not None:
        _write(folder, as_, tool, counts, scores, sentences, evaluation, unit)
    return 0


@dataclass(frozen=True)
class _MaskReader:
    """What the masks' pixels mean."""

    classes: tuple[str, ...]
    background: int | None
    predictions: ClassValues | PixelEncoding
    targets: ClassValues | PixelEncoding

    def read(self, prediction: FilePart, target: FilePart) -> tuple[np.ndarray, np.ndarray]:
        """Read the class indices of both, (H, W) uint8; raise MisuseError where they cannot be compared."""
        predicted, true = self._decode(prediction, self.predictions), self._decode(target, self.targets)
        if predicted.shape != true.shape:
            sizes = [" x ".join(map(str, mask.shape)) for mask in (predicted, true)]
            raise MisuseError(
                f"{prediction}: {sizes[0]} pixels, but {target} has {sizes[1]}; resize predictions to the masks "
                "(by nearest) before they are scored."
            )
        require_class(prediction, predicted, target, true)
        return predicted, true

    def _decode(self, file: FilePart, meaning: ClassValues | PixelEncoding) -> np.ndarray:
        if isinstance(meaning, ClassValues):
            return meaning.read(file)
        mask = MaskFile(file.path, None, file.part)
        return EncodedMask([mask], meaning, Labels(self.classes, self.background or 0)).read()


def _describe_masks(classes: str, ignore: str, background: str, data: str, prediction_data: str) -> _MaskReader:
    """Return what options say of the masks; raise MisuseError where they contradict each other."""
    if not data:
        if prediction_data:
            raise MisuseError("--prediction_data is used with --data, which describes the true masks.")
        if not classes:
            raise MisuseError(
                "--classes names the classes in the order of their values, as --classes background,cell; or --data "
                "FILE gives a data section."
            )
        values = ClassValues.parse(classes, ignore)
        return _MaskReader(values.classes, find_background(values.classes, background), values, values)
    if classes or background or ignore != "auto":
        raise MisuseError("--data describes the masks itself: leave out --classes, --ignore and --background.")
    source, targets = read_mask_section(data)
    if not prediction_data:
        return _MaskReader(source.classes, source.background, Indices(), targets)
    other, predictions = read_mask_section(prediction_data)
    if other.classes != source.classes:
        raise MisuseError(f"{prediction_data}: its classes differ from those of {data}; name the same ones in order.")
    return _MaskReader(source.classes, source.background, predictions, targets)


def _describe_unit(tool: str, tolerance: float, spacing: str) -> BoundaryUnit:
    """Return in which unit boundary scores are; raise MisuseError for options that say nothing of lengths."""
    if tool != "segapp" and (spacing or tolerance != BoundaryUnit().tolerance):
        raise MisuseError("--tolerance and --spacing are of boundary scores, which --as segapp computes only.")
    try:
        sides = tuple(float(side) for side in spacing.split(",")) if spacing else (1.0, 1.0)
    except ValueError:
        raise MisuseError(f"--spacing is the height and the width of a pixel, as 0.5,0.25; got {spacing}.") from None
    unit = BoundaryUnit(tolerance, sides)  # type: ignore[arg-type]  # the number of sides is checked next
    unit.require_positive()
    return unit


def _count(
    pairs: Sequence[MaskPair], reader: _MaskReader, collector: ScoreCollector | None
) -> tuple[SetCounts, Evaluation | None]:
    """Read every pair once, in threads, and return the counts, and segapp's scores where there is a collector."""

    def count(pair: MaskPair) -> list[tuple[ImageCounts, tuple[ImageRows, torch.Tensor] | None]]:
        return [*_count_slices(pair, reader, collector)]

    counted = []
    found = map_in_threads(count, pairs)
    for slices in tqdm(found, "scoring masks", len(pairs), leave=False, delay=1, disable=None):
        for counts, rows in slices:
            counted.append(counts)
            if collector is not None and rows is not None:
                collector.add(*rows)
    counts_of_set = SetCounts.collect(counted, reader.classes, reader.background)
    return counts_of_set, None if collector is None else collector.compute()


def _count_slices(
    pair: MaskPair, reader: _MaskReader, collector: ScoreCollector | None
) -> Iterator[tuple[ImageCounts, tuple[ImageRows, torch.Tensor] | None]]:
    for name, prediction, target in pair.list_slices():
        predicted, true = map(torch.from_numpy, reader.read(prediction, target))
        rows = None if collector is None else collector.score(predicted, true, name)
        yield count_image(pair.name, predicted, true, len(reader.classes)), rows


def _compare_with_segapp(counts: SetCounts) -> str:
    values = Segapp().score(counts).flat
    shown = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    return f"By segapp's rules the same masks have {shown}."


def _write(
    folder: Path,
    name: str,
    tool: Tool,
    counts: SetCounts,
    scores: ToolScores,
    sentences: Sequence[str],
    evaluation: Evaluation | None,
    unit: BoundaryUnit,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rules = {"as": name, "rules": tool.title, "source": tool.source, "explanation": list(sentences)}
    if evaluation is not None:
        measured = {"tolerance": unit.tolerance, "spacing": list(unit.spacing)}
        write_json(folder / FILES[0], rules | describe_evaluation(evaluation) | {"boundaries": measured})
        write_rows(folder / FILES[1], *evaluation.tabulate())
    else:
        background = None if counts.background is None else counts.classes[counts.background]
        content: dict[str, Any] = {"images": len(counts.names), "classes": list(counts.classes)}
        content |= {"background": background, "scores": convert_scores(scores.flatten(counts.classes))}
        write_json(folder / FILES[0], rules | content)
        write_rows(folder / FILES[1], *scores.tabulate(counts))
    print(f"written: {folder / FILES[0]}, {folder / FILES[1]}")
