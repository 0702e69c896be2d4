"""Every complaint of jsonargparse about a config becomes one sentence that says what to write."""

import json

import pytest
import yaml
from lightning.pytorch.loggers import CSVLogger

from segapp.cli.arguments import Arguments
from segapp.cli.segmentation_cli import SegmentationCLI
from segapp.errors import MisuseError
from tests.cli.tiny import TINY


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--trainer.max_epoch", "3"], "unknown option --trainer.max_epoch (did you mean '--trainer.max_epochs'?)."),
        (
            ["tiny.yaml"],
            "'tiny.yaml' stands alone: a config is given as --config tiny.yaml, a setting as --name value.",
        ),
        (["--weights_only", "false"], "unknown option --weights_only."),
        (["--data.batch_size", "many"], "data.batch_size: expected int, got many."),
        (["--data.blend", "gausian"], "data.blend: expected gaussian | cosine | none, got gausian."),
        (["--data.crop", "x"], "data.crop: expected int or tuple or null, got x."),
        (["--model.optimizer.init_args.lr", "0,001"], "lr: expected float, got 0,001."),
        (["--model.optimizer.init_args.lr", "abc"], "lr: expected float, got abc."),
        (["--seed_everything", "true"], "seed_everything: expected int, got True."),
        (["--seed_everything", "abc"], "seed_everything: expected int, got abc."),
        (["--data", "folder/nope.yaml"], "data: there is no file folder/nope.yaml."),
        (["--data", "{nope: [}"], "--data: cannot be read as YAML"),
        (["--config", "folder/nope.yaml"], "folder/nope.yaml."),
        (["--model.net", "folder/nope.yaml"], "model.net: there is no file folder/nope.yaml."),
        (["--data.source.init_args.sise", "3"], "there is no setting 'sise' (did you mean 'size'?)."),
        (["--model.net.init_args.long_skip", "ad"], "long_skip: expected none | add | concat or Sequence, got ad."),
        (["--model.net", "segapp.models.UNett"], "there is no 'UNett' in segapp.models (did you mean 'UNet'?)."),
        (
            ["--model.net", "segap.models.UNet"],
            "model.net: there is no module 'segap.models' (did you mean 'segapp.models'?).",
        ),
        (["--model.net", "UNett"], "there is no class 'UNett' (did you mean 'segapp.models.UNet'?)."),
        (["--model.net", "Quux"], "there is no class 'Quux'; write it with its module, package.module.Class."),
        (["--data.source", "torch.nn.ReLU"], "data.source: torch.nn.ReLU is no Source."),
        (["--data.source", "segapp.datasets.Folder"], "root, classes must be given."),
        (["--model.optimizer", "Adamm"], "there is no class 'Adamm' (did you mean 'torch.optim.Adam'?)."),
        (["--model.optimizer", "torch.nn.ReLU"], "model.optimizer: torch.nn.ReLU does not make a Optimizer."),
        (["--model.lr_scheduler", "segapp.schedules.WarmupCosin"], "(did you mean 'WarmupCosine'?)."),
        (
            ["--trainer.callbacks", "[{class_path: segapp.callbacks.EMA, init_args: {decai: 3}}]"],
            "trainer.callbacks: there is no setting 'decai' (did you mean 'decay'?).",
        ),
        (
            ["--trainer.callbacks", "[{class_path: segapp.callbacks.EMA, init_args: {decay: x}}]"],
            "trainer.callbacks: decay: expected float, got x.",
        ),
        (
            ["--data.augment", "[{class_path: albumentations.CLAHE, init_args: {clip_limitt: 3}}]"],
            "data.augment: there is no setting 'clip_limitt' (did you mean 'clip_limit'?).",
        ),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else "",
)
def test_a_wrong_setting_is_one_sentence(options, expected):
    with pytest.raises(MisuseError) as raised:
        SegmentationCLI(Arguments("fit", ["--config", str(TINY), *options]))
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_a_config_the_missing_parts_are_named():
    with pytest.raises(MisuseError, match=r"^model.net, model.loss, data.source must be given: start from a complete"):
        SegmentationCLI(Arguments("fit", ["--trainer.max_epochs", "3"]))


@pytest.mark.parametrize("option", ["--config", "--data", "--model.net"])
def test_a_file_that_is_missing_is_reported_with_the_nearest_name(option, tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MisuseError, match=r"there is no file \S*mime.yaml \(did you mean \S*mine.yaml\?\)\.$"):
        SegmentationCLI(Arguments("fit", ["--config", str(TINY), option, "mime.yaml"]))


def test_a_config_may_be_given_as_text_longer_than_a_file_name():
    text = json.dumps(yaml.safe_load(TINY.read_text()))
    assert max(map(len, text.split("/"))) > 255
    with pytest.raises(MisuseError, match=r"data.batch_size: expected int, got many."):
        SegmentationCLI(Arguments("fit", ["--config", text, "--data.batch_size", "many"]))


class Uninstalled(CSVLogger):
    """Needs a package that nobody has."""

    def __init__(self) -> None:
        raise ModuleNotFoundError("Requirement 'nobody>=1' not met. HINT: pip install nobody")


@pytest.mark.parametrize("form", ["{}", "[{{class_path: {}}}]"])
def test_a_package_that_is_not_installed_is_named(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logger = form.format(f"{__name__}.Uninstalled")
    with pytest.raises(MisuseError, match=r"^a setting is refused: Requirement 'nobody>=1' not met. HINT: pip install"):
        SegmentationCLI(Arguments("fit", ["--config", str(TINY), "--trainer.logger", logger]))


@pytest.mark.parametrize(
    "options",
    [
        ["--data.source.init_args.mask.init_args.values", "{0: 0}"],
        ["--data.source.init_args.mask", "{values: {0: 0}}"],
        ["--data.source.init_args.mask", "{init_args: {}}"],
    ],
    ids=str,
)
def test_settings_without_their_class_name_the_classes(options, tmp_path):
    folder = ["--data.source", "segapp.datasets.Folder", "--data.source.init_args.root", str(tmp_path)]
    words = ["--config", str(TINY), *folder, "--data.source.init_args.classes", "[a, b]", *options]
    with pytest.raises(MisuseError) as caught:
        SegmentationCLI(Arguments("fit", words))
    error = str(caught.value)
    assert "mask:" in error and "class_path" in error and "segapp.datasets.Indices" in error
    assert "Namespace" not in error and "NestedArg" not in error
