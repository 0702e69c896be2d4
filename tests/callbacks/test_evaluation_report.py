"""The files of an evaluation, which take a new score from its class alone."""

import csv
import json
from types import SimpleNamespace

import torch

from segapp.callbacks import EvaluationReport
from segapp.metrics import Comparison, Score, ScoreCollector
from segapp.spec import Spec

SPEC = Spec(("ground", "cell"), 0, ((0, 0, 0), (255, 0, 0)), 1)


class Area(Score):
    """The predicted labelled pixels of every class: all that a score needs."""

    columns = measures = ("area",)

    def update(self, comparison: Comparison) -> torch.Tensor:
        known = comparison.prediction[comparison.target != 255]
        return torch.bincount(known.flatten().long(), minlength=comparison.num_classes)[None]


def write(folder, scores=(), keep_confusion=False, names=("a", "b"), **state) -> None:
    collector = ScoreCollector(SPEC.classes, SPEC.background, scores, keep_confusion)
    collector.update(torch.tensor([[1, 1, 0, 0]]), torch.tensor([[1, 0, 0, 255]]), names[0])
    collector.update(torch.tensor([[0, 0, 0, 0]]), torch.tensor([[0, 0, 0, 0]]), names[1])
    trainer = SimpleNamespace(
        sanity_checking=False,
        is_global_zero=True,
        callback_metrics={"test/loss": torch.tensor(float("nan"))},
        datamodule=None,
        ckpt_path=str(folder.parent / "checkpoints/best.ckpt"),
    )
    vars(trainer).update(state)
    module = SimpleNamespace(spec=SPEC, collector=collector, evaluation=collector.compute(), device="cpu")
    folder.mkdir()
    EvaluationReport(folder).on_test_end(trainer, module)


def test_a_new_score_reaches_every_file_by_its_class(tmp_path, capsys) -> None:
    write(tmp_path / "test-1", [Area])
    scores = json.loads((tmp_path / "test-1/metrics.json").read_text())["scores"]
    assert scores["area/image"] == scores["area/image/cell"] == 1  # 2 pixels in a, 0 in b
    assert scores["area/image/ground"] == 2.5
    with (tmp_path / "test-1/per_image.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["name"], first["area"], first["area/cell"], first["area/ground"]) == ("a", "2", "2", "1")
    assert (second["name"], second["area"], second["area/ground"]) == ("b", "0", "4")
    assert "area/image" in capsys.readouterr().out


def test_files_by_hand(tmp_path) -> None:
    """Cell: TP 1, FP 1 in image a, in neither mask of b."""
    write(tmp_path / "test-1", keep_confusion=True)
    results = json.loads((tmp_path / "test-1/metrics.json").read_text())
    assert results["scores"]["dice/dataset"] == results["scores"]["dice/image"] == 2 / 3
    assert results["loss"] is None  # JSON has no NaN
    assert results["checkpoint"] == "../checkpoints/best.ckpt"
    assert results["images_per_class"] == {"ground": 2, "cell": 1}
    assert results["confusion"] == [[5, 1], [0, 1]]
    with (tmp_path / "test-1/per_image.csv").open() as file:
        first, second = csv.DictReader(file)
    assert first["dice"] == first["dice/cell"] == "0.6666666667"
    assert (second["dice"], second["dice/cell"], second["tp/cell"], second["dice/ground"]) == ("", "", "0", "1")
    with (tmp_path / "test-1/confusion.csv").open() as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert rows == [
        ("a", "ground", "ground", "1"),
        ("a", "ground", "cell", "1"),
        ("a", "cell", "cell", "1"),
        ("b", "ground", "ground", "4"),
    ]


def test_only_process_0_writes_and_no_sanity_check_does(tmp_path) -> None:
    write(tmp_path / "other", is_global_zero=False)
    write(tmp_path / "sanity", sanity_checking=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_volumes_have_a_table_of_their_own(tmp_path, capsys) -> None:
    write(tmp_path / "test-1", names=("v/axial=0", "v/axial=1"))
    with (tmp_path / "test-1/per_volume.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["name"] == "v" and (row["tp/cell"], row["fp/cell"], row["fn/cell"]) == ("1", "1", "0")
    volumes = json.loads((tmp_path / "test-1/metrics.json").read_text())["volumes"]
    assert volumes["count"] == 1 and volumes["scores"]["dice/volume"] == volumes["scores"]["dice/volume/cell"] == 2 / 3
    assert "1 volumes: Dice 0.667" in capsys.readouterr().out
    assert "<b>0.667</b>dice/volume" in (tmp_path / "test-1/report.html").read_text()
    write(tmp_path / "test-2")
    assert not (tmp_path / "test-2/per_volume.csv").exists()


def test_a_test_keeps_pictures_and_properties_of_its_images(tmp_path) -> None:
    report = EvaluationReport(tmp_path, {"model": {"net": {"init_args": {"pretrained": "package"}}}, "data": {}})
    collector = ScoreCollector(SPEC.classes, SPEC.background, keep_confusion=True)
    module = SimpleNamespace(spec=SPEC, collector=collector, device="cpu")
    trainer = SimpleNamespace(
        sanity_checking=False, is_global_zero=True, callback_metrics={}, datamodule=None, ckpt_path=None
    )
    report.on_test_epoch_start(trainer, module)
    for number in range(6):
        mask = torch.zeros(8, 8, dtype=torch.uint8)
        mask[: number + 1] = 1
        collector.update(mask, mask, f"{number}")
        batch = {"image": mask[None, None], "mask": mask[None], "name": [f"{number}"]}
        report.on_test_batch_end(trainer, module, {"prediction": mask.numpy()}, batch, number)
    module.evaluation = collector.compute()
    report.on_test_end(trainer, module)
    with (tmp_path / "per_image.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["image/height"], first["image/width"], first["image/brightness"][:8]) == ("8", "8", "0.000490")
    assert json.loads((tmp_path / "metrics.json").read_text())["intervals"]["dice/dataset"] == [1, 1]
    page = (tmp_path / "report.html").read_text()
    assert page.count('class="case"') == 6 and "Apache-2.0" in page
