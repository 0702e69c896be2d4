"""`segapp test` of a bundle: the scores of the checkpoint that it was made from, whatever runs it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from segapp.cli import main

ROOT = Path(__file__).parents[2]
DATA = {
    "source": {
        "class_path": "segapp.datasets.Cells",
        "init_args": {"root": "data/cells", "size": 72, "train": 6, "val": 2, "test": 3},
    },
    "crop": [32, 32],
    "window": 64,  # smaller than the images: they are tiled
    "batch_size": 4,
    "num_workers": 0,
}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter and onnxscript


@pytest.fixture(scope="module")
def place(without_curves, tmp_path_factory) -> Path:
    """A folder with a run in fp32, and its data as a file."""
    place = tmp_path_factory.mktemp("bundles")
    (place / "data.yaml").write_text(yaml.safe_dump(DATA))
    words = ["fit", "--config", str(ROOT / "configs" / "unet.yaml"), "--data", "data.yaml", "--trainer.max_epochs", "4"]
    words += ["--model.net.init_args.encoder.init_args.widths", "[4, 8]", "--trainer.precision", "32-true"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.delenv("SEGAPP_RUN_FOLDER", raising=False)
        assert main([*words, "--trainer.callbacks", "[]"]) == 0
    return place


@pytest.fixture
def best(place, monkeypatch) -> Path:
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    monkeypatch.chdir(place)
    (best,) = place.glob("runs/unet/2*/checkpoints/best.ckpt")
    return best


def verdict(place: Path, *words: str) -> tuple[dict, list[dict]]:
    """What `segapp test` wrote last: its metrics, and a row per image."""
    before = set(place.glob("runs/**/metrics.json"))
    assert main(["test", *words, "--data.num_workers", "0"]) == 0
    (written,) = set(place.glob("runs/**/metrics.json")) - before
    with written.with_name("per_image.csv").open(newline="") as file:
        return json.loads(written.read_text()), list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino", "weights"])
def test_a_bundle_scores_as_its_checkpoint(place, best, format):
    assert main(["export", "--ckpt_path", str(best), "--format", format, "--output", format]) == 0
    checkpoint, images = verdict(place, "--ckpt_path", str(best))
    bundle, again = verdict(place, "--ckpt_path", format, "--data", "data.yaml")
    assert checkpoint["loss"] is not None and bundle["loss"] is None
    assert bundle["scores"].keys() == checkpoint["scores"].keys()
    found, expected = (
        {name: np.nan if value is None else value for name, value in one["scores"].items()}
        for one in (bundle, checkpoint)
    )
    assert found == pytest.approx(expected, rel=0.01, nan_ok=True)
    assert [row["name"] for row in again] == [row["name"] for row in images]
    found, expected = np.array(bundle["confusion"]), np.array(checkpoint["confusion"])
    assert found.sum() == expected.sum() == 3 * 72 * 72
    assert np.abs(found - expected).sum() <= 0.001 * expected.sum()
    assert (expected > 0).all()  # of both classes some are found, and some missed


def test_a_bundle_is_scored_as_it_predicts(place, best):
    """Every object is too small to stay: nothing but the background is left, as the saved choice says."""
    words = ["--format", "weights", "--min_object", "100000", "--augment", "horizontal"]
    assert main(["export", "--ckpt_path", str(best), "--output", "cleaned", *words]) == 0
    scores, _ = verdict(place, "--ckpt_path", "cleaned", "--data", "data.yaml")
    assert all(row[1] == 0 for row in scores["confusion"])
    assert scores["spec"]["symmetries"] == ["horizontal"]


def test_no_config_replaces_the_network_of_a_bundle(place, best, capsys):
    assert main(["export", "--ckpt_path", str(best), "--format", "weights", "--output", "alone"]) == 0
    words = ["--ckpt_path", "alone", "--config", str(ROOT / "configs" / "unet.yaml"), "--data", "data.yaml"]
    words += ["--trainer.callbacks", "[]"]
    scores, _ = verdict(place, *words)
    assert scores["checkpoint"] is None and scores["loss"] is None
    assert "model section" in capsys.readouterr().out
    assert main(["test", *words, "--model.net", "segapp.models.UNet"]) == 2
    assert "--model.net" in capsys.readouterr().err


@pytest.mark.slow
def test_a_temperature_goes_from_validation_to_test_predict_and_export(place, best):
    before = best.read_bytes()
    words = ["--data.num_workers", "0", "--calibrate", "calibrated.ckpt"]
    assert main(["validate", "--ckpt_path", str(best), *words]) == 0
    assert best.read_bytes() == before
    assert main(["validate", "--ckpt_path", str(best), *words]) == 2  # nothing is overwritten
    plain, _ = verdict(place, "--ckpt_path", str(best))
    tested, _ = verdict(place, "--ckpt_path", "calibrated.ckpt", "--data", "data.yaml")
    temperature = tested["calibration"]["temperature"]
    assert temperature != 1 and plain["calibration"].pop("temperature") == 1
    assert tested["calibration"]["without_temperature"] == plain["calibration"]
    assert tested["scores"] == plain["scores"] and tested["loss"] == plain["loss"]
    assert main(["export", "--ckpt_path", "calibrated.ckpt", "--format", "weights", "--output", "calibrated"]) == 0
    assert json.loads(Path("calibrated/bundle.json").read_text())["temperatures"] == [temperature]
    exported, _ = verdict(place, "--ckpt_path", "calibrated", "--data", "data.yaml")
    assert exported["calibration"]["temperature"] == temperature
    assert exported["calibration"]["nll"] == pytest.approx(tested["calibration"]["nll"], rel=1e-3)
    assert main(["test", "--ckpt_path", "calibrated", "--data", "data.yaml", "--calibrate", "again.ckpt"]) == 2
    for model, output in ((str(best), "raw"), ("calibrated.ckpt", "soft"), ("calibrated", "bundled")):
        words = ["--images", "data/cells/test/images", "--save", "mask", "--save", "probability", "--output", output]
        assert main(["predict", "--ckpt_path", model, "--device", "cpu", *words]) == 0
    for mask in Path("raw/mask").glob("*"):
        assert mask.read_bytes() == Path("soft/mask", mask.name).read_bytes()
    for file in Path("raw/probability").glob("*"):
        raw, soft, bundled = (
            np.load(file.parents[2] / each / "probability" / file.name) for each in ("raw", "soft", "bundled")
        )
        powers = raw.astype(np.float64) ** (1 / temperature)
        assert np.allclose(soft, powers / powers.sum(0), atol=5e-3) and np.allclose(soft, bundled, atol=2e-3)
