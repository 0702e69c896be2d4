"""fit, validate, test and predict as a person runs them, and what they refuse."""

import csv
import json
import pickle
import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from segapp.cli import main
from segapp.io import read_raw, write_mask

ROOT = Path(__file__).parents[2]
CELLS = [f"--data.source.init_args.{k}={v}" for k, v in (("size", 64), ("train", 6), ("val", 3), ("test", 3))]
SMALL = ["--model.net.init_args.encoder.init_args.widths", "[4, 8]", "--data.crop", "32", "--data.batch_size", "4"]
HERE = ["--data.num_workers", "0"]  # no processes are started and ended, which takes longer than these images
FIT = ["fit", "--config", str(ROOT / "configs" / "unet.yaml"), *CELLS, *SMALL, *HERE, "--trainer.max_epochs", "2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def trained(place) -> Path:
    """A run's folder, relative to `place`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main(FIT) == 0
    (run,) = (place / "runs" / "unet").glob("2*")
    return run.relative_to(place)


@dataclass(frozen=True)
class Scored:
    """What one `segapp test` of the best checkpoint left: its folder, what it printed, all files before and after."""

    folder: Path
    printed: str
    before: dict[str, int]
    after: dict[str, int]

    def read(self) -> dict[str, Any]:
        return json.loads((self.folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def tested(place, trained) -> Scored:
    before, printed = listing(place), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.chdir(place)
        assert main(["test", "--ckpt_path", best(trained)]) == 0
    after = listing(place)
    (folder,) = {Path(name).parent for name in set(after) - set(before)}
    return Scored(folder, printed.getvalue(), before, after)


@pytest.fixture(autouse=True)
def there(place, trained, monkeypatch):
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    monkeypatch.chdir(place)


def best(trained: Path) -> str:
    return str(trained / "checkpoints" / "best.ckpt")


def refused(arguments: list[str], capsys, *sentences: str, code: int = 2) -> str:
    """One sentence on the error stream, and no traceback or usage."""
    assert main(arguments) == code
    error = capsys.readouterr().err.strip()
    assert error.startswith("segapp: ")
    assert "Traceback" not in error
    assert "usage:" not in error
    for sentence in sentences:
        assert sentence in error
    return error


STOPPING = "lightning.pytorch.callbacks.EarlyStopping"
PLATEAU = "lightning.pytorch.cli.ReduceLROnPlateau"


def listing(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_fit_leaves_what_the_guide_says(trained):
    found = {path.name for path in trained.iterdir()}
    expected = {
        "config.yaml",
        "split.yaml",
        "checkpoints",
        "metrics.csv",
        "curves.png",
        "report.html",
        "samples",
        "tensorboard",
    }
    assert expected <= found
    assert {name for name in found - expected if not name.startswith(("test-", "validate-"))} == set()
    assert {path.name for path in (trained / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert config["trainer"]["precision"] in ("32-true", "bf16-mixed")
    assert [len(names) for names in yaml.safe_load((trained / "split.yaml").read_text()).values()] == [6, 3, 3]


@pytest.mark.parametrize("name", ["best", "last"])
def test_checkpoints_hold_plain_types_only(trained, name):
    checkpoint = torch.load(trained / "checkpoints" / f"{name}.ckpt", weights_only=True)
    assert json.dumps(checkpoint["segapp"])
    assert checkpoint["segapp"]["spec"]["classes"] == ["background", "cell"]


def test_a_checkpoint_alone_restores_model_and_data_and_touches_nothing_else(tested, trained, place):
    assert tested.folder.parent == place / trained
    new = set(tested.after) - set(tested.before)
    assert {Path(name).name for name in new} == {"metrics.json", "per_image.csv", "confusion.csv", "report.html"}
    assert {name: time for name, time in tested.after.items() if name in tested.before} == tested.before


def test_a_test_scores_boundaries_per_image_and_class(tested):
    assert "surface_dice/image    hd95/image" in tested.printed
    scores = tested.read()["scores"]
    with (tested.folder / "per_image.csv").open(newline="") as file:
        images = list(csv.DictReader(file))
    assert tested.read()["checkpoint"] == "../checkpoints/best.ckpt"
    for score in ("dice", "iou", "surface_dice", "hd95"):
        for column, name in ((f"{score}/cell", f"{score}/image/cell"), (score, f"{score}/image")):
            assert scores[name] == pytest.approx(np.mean([float(image[column]) for image in images if image[column]]))
        assert scores[f"{score}/image"] == scores[f"{score}/image/cell"]  # the background is left out


def test_validate_gives_what_training_logged_and_what_predicted_masks_score(trained, place, capsys):
    scoring = ["validate", "--ckpt_path", best(trained), *HERE, "--fail_under"]
    error = refused([*scoring, "iou/dataset=2", "--fail_under", "dice/image=0"], capsys, "iou/dataset is", code=1)
    assert "dice/image" not in error  # is high enough
    folder = max(trained.glob("validate-*"), key=lambda path: path.stat().st_mtime)
    verdict = json.loads((folder / "metrics.json").read_text())
    with (trained / "metrics.csv").open(newline="") as file:
        logged = max(float(row["val/dice/dataset"]) for row in csv.DictReader(file))
    assert verdict["scores"]["dice/dataset"] == pytest.approx(logged, abs=1e-6)
    predict = ["predict", "--ckpt_path", best(trained), "--images", "data/cells/val/images", "--output", "seen"]
    assert main([*predict, "--overwrite"]) == 0
    counts = np.zeros((2, 2), np.int64)
    for path in sorted((place / "seen" / "mask").glob("*.png")):
        truth = read_raw(place / "data" / "cells" / "val" / "masks" / path.name)
        np.add.at(counts, (truth.ravel(), read_raw(path).ravel()), 1)
    assert counts.tolist() == verdict["confusion"]
    assert counts.sum() == 3 * 64 * 64


@pytest.mark.slow
def test_a_resumed_fit_stays_in_the_same_folder(trained, place, capsys):
    copy = place / "runs" / "unet" / "copied"
    shutil.copytree(trained, copy)
    last = str(copy / "checkpoints" / "last.ckpt")
    unreachable = torch.load(last, weights_only=True)
    (state,) = [value for key, value in unreachable["callbacks"].items() if key.startswith("BestCheckpoint")]
    state["best_model_score"] = torch.tensor(2.0)
    torch.save(unreachable, last)
    before = (copy / "checkpoints" / "best.ckpt").stat().st_mtime_ns
    assert main(["fit", "--ckpt_path", last, "--trainer.max_epochs", "3"]) == 0
    assert (copy / "checkpoints" / "best.ckpt").stat().st_mtime_ns == before  # the run was moved, its best was not lost
    with (copy / "metrics.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    printed = "".join(capsys.readouterr())
    assert "Epoch 3 of 3:" in printed
    assert "Epoch 2" not in printed
    assert {path.name.rpartition("-")[2] for path in (copy / "samples").iterdir()} == {"epoch002.png", "epoch003.png"}
    assert torch.load(last, weights_only=True)["epoch"] == 2


@pytest.mark.parametrize(
    ("longer", "sentence"),
    [
        (
            ["--trainer.log_every_n_steps", "7"],
            "the run has done 2 of 2 epochs; to continue, set a larger --trainer.max_epochs, such as 4.",
        ),
        (
            ["--trainer.max_epochs", "9", "--trainer.max_steps", "2"],
            "of 2 steps; to continue, set a larger --trainer.",
        ),
    ],
    ids=["epochs", "steps"],
)
def test_going_on_with_a_finished_run_says_so(longer, sentence, trained, capsys):
    before = [(trained / name).read_text() for name in ("metrics.csv", "config.yaml")]
    assert main(["fit", "--ckpt_path", str(trained / "checkpoints" / "last.ckpt"), *HERE, *longer]) == 0
    printed = capsys.readouterr().out
    assert printed.count("nothing is left to train") == 1
    assert sentence in printed
    assert "best validation" in printed
    assert [(trained / name).read_text() for name in ("metrics.csv", "config.yaml")] == before


@pytest.mark.slow
def test_a_changed_learning_rate_holds_when_a_run_resumes(trained, place):
    copy = place / "runs" / "unet" / "slower"
    shutil.copytree(trained, copy)
    last = str(copy / "checkpoints" / "last.ckpt")
    slower = ["--model.optimizer.init_args.lr", "1.0e-5", "--model.optimizer.init_args.weight_decay", "0.5"]
    assert main(["fit", "--ckpt_path", last, "--trainer.max_epochs", "3", *slower]) == 0
    after = torch.load(last, weights_only=True)
    (group,) = after["optimizer_states"][0]["param_groups"]
    assert (group["initial_lr"], group["weight_decay"]) == pytest.approx((1e-5, 0.5))
    assert after["lr_schedulers"][0]["base_lrs"] == pytest.approx([1e-5])
    assert group["lr"] <= 1e-5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["--model.optimizer=torch.optim.SGD"], "model.optimizer was torch.optim.AdamW and is now torch.optim.SGD"),
        (["--model.lr_scheduler=null"], "model.lr_scheduler was segapp.schedules.WarmupCosine and is now null"),
    ],
)
def test_another_optimiser_is_a_new_runs(change, sentence, trained, place, capsys):
    before = (trained / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    last = str(trained / "checkpoints" / "last.ckpt")
    options = ["fit", "--ckpt_path", last, *HERE, "--trainer.max_epochs", "3", *change]
    refused(options, capsys, sentence)
    assert (trained / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


@pytest.mark.slow
def test_what_pretrained_weights_came_from_is_not_needed_again(place, monkeypatch, capsys):
    """Nor is what a stranger's checkpoint says of them: it could name any address."""
    encoder = ["--model.net.init_args.encoder=segapp.models.smp.SmpEncoder"]
    encoder += [f"--model.net.init_args.encoder.init_args.{s}" for s in ("name=tu-resnet10t", "depth=3")]
    assert main([*FIT, *encoder, "--name", "timms", "--trainer.max_epochs", "1"]) == 0
    (run,) = (place / "runs" / "timms").glob("2*")
    path = run / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    settings = checkpoint["segapp"]["config"]["model"]["net"]["init_args"]["encoder"]["init_args"]
    settings |= {"pretrained": True, "options": {"pretrained_cfg_overlay": {"url": "http://127.0.0.1:9/x.pth"}}}
    torch.save(checkpoint, path)
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asks the network"))
    assert main(["test", "--ckpt_path", str(path)]) == 0
    assert main(["fit", "--ckpt_path", str(path), "--dry_run"]) == 0
    assert main(["fit", "--ckpt_path", str(path), "--trainer.max_epochs", "2"]) == 0
    assert "pretrained: true" in (run / "config.yaml").read_text()  # what the run began from
    settings["name"] = "tu-hf-hub:somebody/network"
    torch.save(checkpoint, path)
    refused(["test", "--ckpt_path", str(path)], capsys, "last.ckpt", "hf-hub:somebody", "looked up elsewhere")


@pytest.mark.slow
def test_a_class_of_ones_own_beside_is_used_and_allowed_again(place, trained, monkeypatch, capsys):
    (place / "beside.py").write_text("import lightning.pytorch as pl\n\n\nclass Mine(pl.Callback):\n    pass\n")
    mine = ["--trainer.callbacks", "[{class_path: beside.Mine}]", "--name", "mine", "--trainer.max_epochs", "1"]
    assert main([*FIT, *mine]) == 0
    (run,) = (place / "runs" / "mine").glob("2*")
    last = str(run / "checkpoints" / "last.ckpt")
    longer = ["fit", "--ckpt_path", last, "--trainer.max_epochs", "2"]
    refused(longer, capsys, "beside.Mine", "--allow beside.Mine")
    assert main([*longer, "--allow", "beside.Mine"]) == 0
    assert main(["test", "--ckpt_path", last]) == 0  # which uses no callback of it


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--name", "other"], "stays in its folder"),
        (["--trainer.default_root_dir", "elsewhere"], "--trainer.default_root_dir"),
        (["--trainer.fast_dev_run", "true"], "leave --ckpt_path out"),
    ],
)
def test_a_refused_resume_leaves_the_run_as_it_is(options, sentence, trained, capsys):
    before = (trained / "config.yaml").read_text()
    last = str(trained / "checkpoints" / "last.ckpt")
    refused(["fit", "--ckpt_path", last, "--trainer.max_epochs", "3", *options], capsys, sentence)
    assert (trained / "config.yaml").read_text() == before


def test_what_is_typed_beats_the_checkpoint(trained, place):
    typed = ["--trainer.default_root_dir", "verdicts", "--data.overlap", "0.5"]
    assert main(["test", "--ckpt_path", best(trained), *HERE, *typed]) == 0
    (results,) = (place / "verdicts").rglob("metrics.json")
    assert results == place / "verdicts" / "unet" / "test-1" / "metrics.json"
    assert json.loads(results.read_text())["spec"]["overlap"] == 0.5


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_weights_of_other_settings_are_refused_by_naming_what_differs(verb, trained, place, capsys):
    last = str(trained / "checkpoints" / "last.ckpt")
    wider = ["--model.net.init_args.encoder.init_args.widths", "[4, 16]", "--model.net.init_args.long_skip", "add"]
    longer = [*HERE, "--trainer.max_epochs", "3"] if verb == "fit" else HERE
    error = refused([verb, "--ckpt_path", last, *wider, *longer], capsys, last, "widths was [4, 8] and is [4, 16] now")
    assert "model.net.init_args.long_skip was concat and is add now" in error
    assert "\n" not in error
    assert not list(trained.rglob("error.log"))


def test_a_checkpoint_without_its_settings_is_refused_with_what_it_can_do(trained, place, capsys):
    checkpoint = torch.load(best(trained), weights_only=True)
    checkpoint["segapp"]["config"] = {}
    torch.save(checkpoint, place / "bare.ckpt")
    for verb in ("fit", "validate", "test"):
        refused([verb, "--ckpt_path", "bare.ckpt"], capsys, "bare.ckpt", "seed_everything, model, data")
    assert main(["predict", "--ckpt_path", "bare.ckpt", "--images", "data/cells/val/images", "--output", "bare"]) == 0


def test_weights_alone_are_nothing_to_resume_from(trained, place, capsys):
    checkpoint = torch.load(best(trained), weights_only=True)
    del checkpoint["optimizer_states"]
    torch.save(checkpoint, place / "weights.ckpt")
    refused(["fit", "--ckpt_path", "weights.ckpt"], capsys, "weights.ckpt", "checkpoints/last.ckpt")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"exp_avg": torch.zeros(1)}, "exp_avg of a parameter"), ({"exp_avg_sq": None}, "a damaged checkpoint")],
    ids=["other shape", "missing"],
)
def test_an_optimiser_that_does_not_fit_the_network_is_refused(wrong, words, trained, place, capsys):
    copy = place / "runs" / "unet" / f"misfit-{words.split()[0]}"
    shutil.copytree(trained, copy)
    last = copy / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    checkpoint["optimizer_states"][0]["state"][0] |= wrong
    torch.save(checkpoint, last)
    refused(["fit", "--ckpt_path", str(last), *HERE, "--trainer.max_epochs", "3"], capsys, words, "--init_from")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("data/mine.yaml", ["is a data fragment", "--data "]),
        ("model/residual.yaml", ["is a model fragment", "--model "]),
        ("studies/drozdzal2016.yaml", ["is a study", "segapp study --config "]),
    ],
    ids=["data", "model", "study"],
)
def test_a_fragment_given_as_a_config_is_explained(path, words, capsys):
    path = str(ROOT / "configs" / path)
    for options in (["--config", path], [f"--config={path}"], [*FIT[1:], "--config", path]):
        assert f"{words[1]}{path}" in refused(["fit", *options], capsys, *words)


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_scoring_without_a_usable_checkpoint_is_refused(verb, trained, capsys):
    refused([verb], capsys, "--ckpt_path", "best.ckpt")
    refused([verb, "--ckpt_path", "last"], capsys, "last")
    refused([verb, "--ckpt_path", str(trained / "checkpoints" / "bst.ckpt")], capsys, "best.ckpt")
    refused([verb, "--ckpt_path", "https://example.org/x.ckpt"], capsys, "this machine")
    refused([verb, "--ckpt_path", str(trained / "config.yaml")], capsys, "config.yaml")


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_a_pickle_that_would_run_code_is_refused(verb, place, capsys):
    torch.save({"segapp": {}, "state_dict": {}, "bomb": Bomb()}, place / "bomb.ckpt")
    (place / "plain.ckpt").write_bytes(pickle.dumps(Bomb()))
    folders = ["--images", "data/cells/val/images", "--output", "nowhere"] if verb == "predict" else []
    for name in ("bomb.ckpt", "plain.ckpt"):
        refused([verb, "--ckpt_path", name, *folders], capsys, name)
    assert not (place / "exploded").exists()


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize("part", ["net", "loss", "optimizer", "source", "callback", "callable"])
def test_a_class_path_from_a_checkpoint_is_checked_before_it_is_imported(
    verb, part, trained, place, capsys, monkeypatch
):
    (place / "evil.py").write_text("open('imported', 'w').close()\nclass Evil: pass\n")
    monkeypatch.syspath_prepend(place)
    checkpoint = torch.load(best(trained), weights_only=True)
    record = checkpoint["segapp"]
    evil = {"class_path": "evil.Evil"}
    if part == "net":
        record["net"] = record["config"]["model"]["net"] = evil
    elif part == "source":
        record["config"]["data"]["source"] = evil
    elif part == "callback":
        record["config"]["trainer"]["callbacks"] = [evil]
    elif part == "callable":
        record["config"]["trainer"]["callbacks"] = [
            {"class_path": "lightning.pytorch.callbacks.LambdaCallback", "init_args": {"setup": "evil.Evil"}}
        ]
    else:
        record["config"]["model"][part] = evil
    torch.save(checkpoint, place / "evil.ckpt")
    folders = ["--images", "data/cells/val/images", "--output", "nowhere"] if verb == "predict" else []
    if (verb == "predict" and part != "net") or (verb != "fit" and part in ("callable", "callback", "optimizer")):
        pytest.skip("this verb does not read that part")
    told = "LambdaCallback" if part == "callable" else "evil.Evil"
    refused([verb, "--ckpt_path", "evil.ckpt", *folders], capsys, told)
    assert not (place / "imported").exists()
    assert "evil" not in sys.modules


def test_a_state_that_cannot_be_restored_is_one_message(trained, place, capsys):
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"] = {"total": 3}
    torch.save(checkpoint, "unrestored.ckpt")
    words = ["fit", "--ckpt_path", "unrestored.ckpt", *HERE, "--trainer.max_epochs", "3", "--name", "unrestored"]
    refused(words, capsys, "unrestored.ckpt")


def folders_of(verb: str, place: Path) -> list[str]:
    return ["--images", str(place / "data/cells/val/images"), "--output", "nowhere"] if verb == "predict" else []


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_the_path_of_a_checkpoint_vouches_for_no_module_of_that_name(
    verb, trained, place, tmp_path, capsys, monkeypatch
):
    """model.ckpt is a file, and no class `ckpt` of a module `model` beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/__init__.py").write_text("open('imported', 'w').close()\n")
    (tmp_path / "model/ckpt.py").write_text("class Net: pass\n")
    checkpoint = torch.load(place / best(trained), weights_only=True)
    record = checkpoint["segapp"]
    record["net"] = record["config"]["model"]["net"] = {"class_path": "model.ckpt.Net", "init_args": {}}
    torch.save(checkpoint, "model.ckpt")
    absolute = str(tmp_path / "model.ckpt")
    for words in (["--ckpt_path", "model.ckpt"], ["--ckpt_path=./model.ckpt"], ["--ckpt_path", absolute]):
        refused([verb, *words, *folders_of(verb, place)], capsys, "--allow model.ckpt.Net")
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
def test_data_that_are_not_under_a_checkpoints_relative_root_are_reported_with_the_option(
    verb, trained, place, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = str(place / best(trained))
    refused([verb, "--ckpt_path", path], capsys, "data/cells", "--data.source.init_args.root", str(tmp_path))
    assert not any(tmp_path.iterdir())  # nor are they generated there


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        (["--data.batchsize", "3"], ["--data.batch_size"]),
        (["--model.net.init_args.longskip", "add"], ["longskip", "long_skip"]),
        (["--config", "nope.yaml"], ["nope.yaml"]),
        (["--name", "../elsewhere"], ["../elsewhere"]),
        (["--trainer.val_check_interval", "0"], ["val_check_interval is 0"]),
        (["--trainer.accumulate_grad_batches", "0"], ["accumulate_grad_batches is 0"]),
        (["--trainer.check_val_every_n_epoch", "0"], ["check_val_every_n_epoch is 0"]),
        (["--trainer.val_check_interval", "1000"], ["val_check_interval"]),
        (["--trainer.enable_checkpointing", "false"], ["--dry_run"]),
        (
            ["--trainer.callbacks", "[{class_path: segapp.callbacks.SamplePictures, init_args: {every_n_epochs: 0}}]"],
            ["SamplePictures counts from 1"],
        ),
        (
            [f"--trainer.callbacks=[{{class_path: {STOPPING}, init_args: {{monitor: val_loss}}}}]"],
            ["EarlyStopping monitors 'val_loss'", "val/loss"],
        ),
        (["--trainer.precision", "bf16-true"], ["bf16-true rounds the weights", "32-true or bf16-mixed or 16-mixed"]),
        (["--trainer.max_epochs", "-1"], ["WarmupCosine needs a run with an end", "--trainer.max_steps"]),
        (["--model.lr_scheduler.init_args.warmup", "5"], ["warmup", "got 5"]),
        (["--model.lr_scheduler.init_args.final", "-0.5"], ["final 0 or more", "-0.5"]),
        (
            [f"--model.lr_scheduler={PLATEAU}", "--model.lr_scheduler.init_args.monitor=val/dice"],
            ["'val/dice'", "val/dice/dataset"],
        ),
        (
            [
                "--model.lr_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau",
                "--model.lr_scheduler.init_args.mode=max",
            ],
            ["val/loss", "mode", PLATEAU],
        ),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_wrong_option_gets_one_sentence(options, sentences, capsys):
    refused([*FIT, *options], capsys, *sentences)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--data", "configs/data/mine.yaml"), ("--trainer.max_epochs", "3"), ("--trainer.callbacks+", "x.Y")],
)
def test_what_stands_before_a_config_that_sets_it_is_refused(option, value, capsys):
    """The config would win without a word."""
    config = str(ROOT / "configs" / "unet.yaml")
    key = option.removesuffix("+")
    refused(["fit", f"{option}={value}", "--config", config], capsys, f"{key} is written before", "write it after")


def test_a_misspelt_key_in_a_file_gets_a_suggestion(place, capsys):
    (place / "wrong.yaml").write_text("data:\n  batchsize: 3\n")
    assert "batch" in refused([*FIT, "--config", "wrong.yaml"], capsys, "batchsize")


def folder_of(place: Path, values: tuple[int, ...], name: str) -> str:
    """A person's folder whose masks hold `values`, and the fragment that reads it."""
    root = place / "data" / name
    for index in range(4):
        image = np.full((40, 40), 40 * index, np.uint8)
        mask = np.resize(np.array(values, np.uint8), (40, 40))
        write_mask(root / "images" / f"{index}.png", image, [(i, i, i) for i in range(255)])
        write_mask(root / "masks" / f"{index}.png", mask, [(i, i, i) for i in range(255)])
    source = {"class_path": "segapp.datasets.Folder", "init_args": {"root": f"data/{name}", "classes": ["a", "b"]}}
    source["init_args"]["split"] = {"class_path": "segapp.datasets.Fraction", "init_args": {"val": 0.25, "test": 0.25}}
    (place / f"{name}.yaml").write_text(yaml.safe_dump({"source": source}))
    return f"{name}.yaml"


BARE = [word for word in FIT if word not in CELLS]


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_mask_value_outside_the_classes_names_file_values_and_remedy(workers, place, capsys):
    fragment = folder_of(place, (0, 1, 7), "seven")
    options = ["--data", fragment, "--data.num_workers", workers]
    refused([*BARE, *options], capsys, "data/seven/masks/", ".png", "7", "values")


def test_masks_of_0_and_255_are_explained(place, capsys):
    fragment = folder_of(place, (0, 255), "binary")
    refused([*BARE, "--data", fragment], capsys, "255", "values")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ([], "no sample of epoch 1 shows a pixel of b (1): if the training masks hold none, it cannot be learnt."),
        (["--model.loss.init_args.class_weights", "balanced"], "the training masks hold no pixel of b (1): it cannot"),
    ],
    ids=["samples", "balanced"],
)
def test_a_class_that_never_occurs_is_reported_once(how, words, place, capsys):
    fragment = folder_of(place, (0,), "absent")
    assert main([*BARE, "--data", fragment, "--name", "absent", *how]) == 0
    told = capsys.readouterr().err
    assert told.count("note: ") == told.count(words) == 1
    last = max((place / "runs" / "absent").glob("*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)
    assert main(["fit", "--ckpt_path", str(last), "--trainer.max_epochs", "3"]) == 0
    assert "note: " not in capsys.readouterr().err


def add_images(root, names):
    for name in names:
        write_mask(root / "images" / f"{name}.png", np.full((40, 40), 99, np.uint8), [(i, i, i) for i in range(255)])
        write_mask(root / "masks" / f"{name}.png", np.eye(40, dtype=np.uint8), [(i, i, i) for i in range(255)])


def scored(place, name):
    newest = max((place / "runs" / name).glob("2*/test*/per_image.csv"), key=lambda path: path.stat().st_mtime)
    with newest.open() as file:
        return sorted(row["name"] for row in csv.DictReader(file))


@pytest.mark.slow
def test_the_split_of_a_checkpoint_holds_wherever_the_images_are(place, caplog, capsys):
    """A training image was scored once the root was written otherwise and the folder had grown."""
    fragment, root = folder_of(place, (0, 1), "grown"), place / "data" / "grown"
    add_images(root, [f"a{i}" for i in range(8)])
    assert main([*BARE, "--data", fragment, "--name", "grown", "--trainer.max_epochs", "1"]) == 0
    (path,) = (place / "runs" / "grown").glob("2*/split.yaml")
    split = yaml.safe_load(path.read_text())
    add_images(root, [f"b{i}" for i in range(8)])
    moved = root.rename(place / "moved")
    elsewhere = ["--data.source.init_args.root", str(moved)]
    last = str(path.parent / "checkpoints" / "last.ckpt")
    caplog.clear()
    assert main(["test", "--ckpt_path", last, *elsewhere]) == 0
    assert scored(place, "grown") == sorted(split["test"])
    assert "8 images are new" in caplog.text and "b0" in caplog.text
    assert main(["fit", "--ckpt_path", last, *elsewhere, "--trainer.max_epochs", "2"]) == 0
    assert yaml.safe_load(path.read_text()) == split
    other = ["--data.source.init_args.split.init_args.seed", "5"]
    refused(["test", "--ckpt_path", last, *elsewhere, *other], capsys, "split", "--new_split")
    gone = split["train"][0]
    (moved / "images" / f"{gone}.png").rename(moved / "away.png")
    (moved / "masks" / f"{gone}.png").unlink()
    for verb in ("validate", "test", "fit"):
        refused([verb, "--ckpt_path", last, *elsewhere], capsys, gone, "--new_split")
    assert main(["test", "--ckpt_path", last, *elsewhere, *other, "--new_split"]) == 0
    assert set(scored(place, "grown")) - set(split["test"])
    refused([*BARE, "--new_split"], capsys, "--ckpt_path")


def test_other_classes_than_the_checkpoint_has_ask_for_a_run_of_their_own(place, trained, capsys):
    words = ["fit", "--ckpt_path", best(trained), *HERE, "--data.source.init_args.border", "true"]
    refused(words, capsys, "background, cell,", "background, cell, border", "--init_from")


def test_oversampling_without_a_class_to_centre_on_is_refused(place, capsys):
    fragment = folder_of(place, (0,), "empty")
    refused([*BARE, "--data", fragment, "--data.oversample", "0.5"], capsys, "oversample", "background (0)")


def test_nothing_is_reported_of_classes_that_occur(place, capsys):
    fragment = folder_of(place, (0, 1, 255), "present")
    words = ["--data", fragment, "--name", "present", "--trainer.max_epochs", "1", "--trainer.logger", "false"]
    assert main([*BARE, *words]) == 0
    assert "note: " not in capsys.readouterr().err


def test_a_missing_folder_is_named(place, capsys):
    fragment = folder_of(place, (0, 1), "there")
    shutil.rmtree(place / "data" / "there")
    refused([*BARE, "--data", fragment], capsys, "data/there")


@pytest.mark.slow
def test_a_keyboard_interrupt_ends_with_130_and_complete_checkpoints(place, monkeypatch, capsys):
    from segapp.callbacks import Curves

    def interrupt(self, trainer, pl_module):
        raise KeyboardInterrupt

    monkeypatch.setattr(Curves, "on_train_end", interrupt, raising=False)
    assert main([*FIT, "--name", "stopped"]) == 130
    (last,) = (place / "runs" / "stopped").glob("2*/checkpoints/last.ckpt")
    assert torch.load(last, weights_only=True)["epoch"] == 1


@pytest.mark.slow
def test_early_stopping_ends_a_run_that_no_longer_gains(place, trained, capsys):
    """Lightning's own callback, on the score that chooses the best checkpoint; the run still ends with its table."""
    never_enough = {"monitor": "val/dice/dataset", "mode": "max", "patience": 2, "min_delta": 2.0}
    callback = {"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": never_enough}
    options = ["--name", "early", "--trainer.max_epochs", "9", "--trainer.callbacks", json.dumps([callback])]
    assert main([*FIT[:-2], *options]) == 0
    (run,) = (place / "runs" / "early").glob("2*")
    assert len((run / "metrics.csv").read_text().splitlines()) == 1 + 3  # the first sets the mark, two do not pass it
    assert "best validation" in capsys.readouterr().out
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model.optimizer.init_args.lr", "-1"], "model.optimizer: Invalid learning rate: -1.0."),
        (["--trainer.strategy", "foo"], "there is no --trainer.strategy foo: use auto, ddp (several devices"),
        (["--trainer.strategy", "fdsp"], "there is no --trainer.strategy fdsp (did you mean 'fsdp'?)"),
        (["--seed_everything", "-3"], "seed_everything must be 0 … 4294967295, got -3."),
        (["--trainer.max_epochs", "0"], "max_epochs is 0, which trains nothing"),
        (["--trainer.default_root_dir", "data/cells/config.yaml"], "created in data/cells/config.yaml"),
        (["--data.window", "99999"], "window needs a height and width of 1 … 8192"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_a_library_refuses_is_one_sentence_and_leaves_no_empty_run(options, sentence, place, capsys):
    (place / "data" / "cells" / "config.yaml").touch()
    name = options[0].replace("--", "").replace(".", "-")
    refused([*FIT, "--name", name, *options], capsys, sentence)
    assert not [path for path in (place / "runs" / name).glob("*") if not any(path.iterdir())]


def test_shares_that_do_not_fit_are_reported_by_the_split_itself(place, capsys):
    fragment = folder_of(place, (0, 1), "shares")
    shares = ["--data.source.init_args.split.class_path", "segapp.datasets.Fraction"]
    shares += [
        "--data.source.init_args.split.init_args.val",
        "0.6",
        "--data.source.init_args.split.init_args.test",
        "0.6",
    ]
    error = refused([*BARE, "--data", fragment, *shares], capsys, "val=0.6 and test=0.6")
    assert "Namespace" not in error


def test_a_config_that_is_not_text_is_one_sentence(place, capsys):
    (place / "bin.yaml").write_bytes(b"\xff\xfe\x00")
    refused(["fit", "--config", "bin.yaml"], capsys, "bin.yaml", "not UTF-8 text")


@pytest.mark.slow
def test_going_on_from_a_checkpoint_by_itself_finds_its_own_best(trained, place, capsys):
    """Its old run's best lies elsewhere: without a best of its own the new run would end with nothing to use."""
    alone = place / "alone.ckpt"
    shutil.copy(trained / "checkpoints" / "last.ckpt", alone)
    assert main(["fit", "--ckpt_path", str(alone), "--name", "alone", "--trainer.max_epochs", "3"]) == 0
    assert list((place / "runs" / "alone").glob("*/checkpoints/best.ckpt"))
    assert "best validation" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["last", "http_run", "zip::m.ckpt"])
def test_a_checkpoint_may_have_a_name_that_means_something_to_lightning(trained, tested, place, name, capsys):
    shutil.copy(best(trained), place / name)
    assert main(["test", "--ckpt_path", name, *HERE]) == 0
    (results,) = place.glob("runs/unet/test-*/metrics.json")
    assert json.loads(results.read_text())["scores"] == tested.read()["scores"]
    shutil.rmtree(results.parent)
    (place / name).unlink()
