"""segapp's classes in a notebook: made, trained and used without the command line."""

import csv
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch.utils.data import DataLoader, TensorDataset

from segapp.cli import main
from segapp.datasets import Folder, Fraction
from segapp.errors import MisuseError
from segapp.init_args import construct
from segapp.io import write_image, write_mask
from segapp.loading.datamodule import SegmentationDataModule
from segapp.losses import DiceCrossEntropy
from segapp.models import PlainEncoder, UNet
from segapp.spec import Spec
from segapp.training.module import SegmentationModule

pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:It is recommended to use `self.log"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`"),
]

SPEC = Spec(("a", "b"), palette=((0, 0, 0), (9, 9, 9)), background=0, channels=1, window=(32, 32))
QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}


def write_pairs(numbers: range, root: Path = Path("data")) -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[8:20, 8:20] = 1
    for number in numbers:
        write_image(root / f"images/{number}.png", mask * 100 + 50)
        write_mask(root / f"masks/{number}.png", mask, ((0, 0, 0), (255, 255, 255)))


def data() -> SegmentationDataModule:
    source = Folder("data", ["background", "object"], split=Fraction(0.2, 0.2))
    return SegmentationDataModule(source, batch_size=4, crop=32, num_workers=0)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def trained(place) -> lightning.Trainer:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for folder in ("images", "masks"):
            (place / "data" / folder).mkdir(parents=True)
        write_pairs(range(8))
        datamodule = data()
        net = UNet(datamodule.channels, datamodule.num_classes, partial(PlainEncoder, widths=(4, 8)))
        trainer = lightning.Trainer(max_epochs=1, default_root_dir=".", num_sanity_val_steps=0, **QUIET)
        trainer.fit(SegmentationModule(net, DiceCrossEntropy(), spec=datamodule.spec), datamodule)
    return trainer


@pytest.fixture(autouse=True)
def there(place, trained, monkeypatch):
    monkeypatch.chdir(place)


def checkpoint(trainer: lightning.Trainer) -> str:
    return trainer.checkpoint_callback.best_model_path


def test_a_module_comes_back_from_its_checkpoint_alone(trained):
    again = SegmentationModule.load_from_checkpoint(checkpoint(trained))
    images = torch.rand(1, 1, 16, 16)
    assert torch.equal(again.eval()(images), trained.lightning_module.eval()(images))
    assert again.spec.classes == ("background", "object")
    net, loss = UNet(1, 2, partial(PlainEncoder, widths=(4, 8))), DiceCrossEntropy()
    given = SegmentationModule.load_from_checkpoint(checkpoint(trained), net=net, loss=loss, spec=again.spec)
    assert given.net is net


@pytest.mark.parametrize("instantiator", ["instantiate_module", "LightningCLI"])
def test_loading_a_module_looks_at_no_hyper_parameters(instantiator, trained, tmp_path, monkeypatch):
    """Lightning would import whatever they name."""
    (tmp_path / "evil.py").write_text("open('ran', 'w').close()\nclass Net: pass\n")
    stored = torch.load(checkpoint(trained), weights_only=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    made = {name: {"class_path": "evil.Net"} for name in ("net", "loss", "optimizer")}
    stored["hyper_parameters"] = made | {"_instantiator": f"lightning.pytorch.cli.{instantiator}"}
    torch.save(stored, "evil.ckpt")
    SegmentationModule.load_from_checkpoint("evil.ckpt")
    with pytest.raises(MisuseError, match="restore_splits"):
        SegmentationDataModule.load_from_checkpoint("evil.ckpt")
    assert not Path("ran").exists()


def test_prediction_gives_class_indices_of_whole_images(trained):
    module = trained.lightning_module
    indices = trained.predict(module, data())
    assert [part.shape for part in indices] == [(1, 32, 32)] * 2  # the test images
    images = torch.randint(256, (3, 1, 40, 24), dtype=torch.uint8)
    for loader in DataLoader(images, batch_size=2), DataLoader(TensorDataset(images), batch_size=2):
        assert [part.shape for part in trained.predict(module, loader)] == [(2, 40, 24), (1, 40, 24)]


def test_a_data_module_says_what_it_holds():
    assert "4 train, 2 val, 2 test images of 1 channels" in str(data())


def test_the_commands_take_a_checkpoint_of_a_trainer(trained, place, capsys):
    kept = data().split_names()["test"]
    write_pairs(range(8, 14))  # new ones: what was trained on is not scored for all that
    assert main(["test", "--ckpt_path", checkpoint(trained)]) == 0
    with (place / "runs/unet/test-1/per_image.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == kept
    predict = ["predict", "--ckpt_path", checkpoint(trained), "--images", "data/images", "--output", "out"]
    assert main(predict) == 0
    assert len(list((place / "out").rglob("*.png"))) == 14
    capsys.readouterr()
    assert main(["fit", "--ckpt_path", checkpoint(trained)]) == 2
    assert "(trainer)" in capsys.readouterr().err


@pytest.fixture
def best(trained, place, tmp_path, monkeypatch) -> Path:
    """Return the checkpoint of `trained`, seen from an empty folder."""
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    return place / checkpoint(trained)


def go_on(verb: str, path: Path, own: SegmentationDataModule) -> None:
    net = UNet(own.channels, own.num_classes, partial(PlainEncoder, widths=(4, 8)))
    module = SegmentationModule(net, DiceCrossEntropy(), spec=own.spec)
    trainer = lightning.Trainer(max_epochs=1, num_sanity_val_steps=0, enable_checkpointing=False, **QUIET)
    getattr(trainer, verb)(module, datamodule=own, ckpt_path=path)


@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
def test_a_trainer_keeps_the_split_of_its_checkpoint_in_a_grown_folder(verb, best):
    recorded = torch.load(best, weights_only=True)["segapp"]["splits"]
    write_pairs(range(40))
    own = data()
    assert own.split_names() != recorded
    go_on(verb, best, own)
    assert own.split_names() == recorded


def test_a_split_is_kept_where_the_user_asks_for_that(best):
    write_pairs(range(40))
    own = data()
    own.keep_split()
    before = own.split_names()
    go_on("test", best, own)
    assert own.split_names() == before


def test_data_serve_the_checkpoints_of_two_splits_one_after_the_other(best):
    write_pairs(range(8))
    own = data()
    other = torch.load(best, weights_only=True)
    recorded = other["segapp"]["splits"]
    other["segapp"]["splits"] = {**recorded, "train": recorded["test"], "test": recorded["train"]}
    torch.save(other, "other.ckpt")
    go_on("test", Path("other.ckpt"), own)
    assert own.split_names()["test"] == recorded["train"]
    go_on("test", best, own)
    assert own.split_names() == recorded


def test_other_images_are_refused_for_a_checkpoint_in_a_trainer(best):
    write_pairs(range(20, 28))
    with pytest.raises(MisuseError, match=r"8 of the 8 .* keep_split\(\)"):
        go_on("test", best, data())


def test_a_network_of_another_library_says_how_it_was_made_by_construct(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make = partial(smp.Unet, encoder_weights=None, in_channels=1, classes=2, encoder_depth=3)
    stored: dict[str, Any] = {}
    module = SegmentationModule(make("resnet18", decoder_channels=(8, 8, 8)), DiceCrossEntropy(), spec=SPEC)
    module.trainer = lightning.Trainer(**QUIET)
    with pytest.warns(UserWarning, match=r"^segapp cannot use this .*Unet does not record"):
        module.on_save_checkpoint(stored)
    torch.save({**stored, "state_dict": module.state_dict()}, "own.ckpt")
    assert main(["export", "--ckpt_path", "own.ckpt", "--format", "weights", "--output", "bundle"]) == 2
    assert "init_args.construct" in capsys.readouterr().err

    module.net = construct(smp.Unet, "resnet18", 3, None, decoder_channels=(8, 8, 8), in_channels=1, classes=2)
    module.on_save_checkpoint(stored := {"pytorch-lightning_version": lightning.__version__})
    torch.save({**stored, "state_dict": module.state_dict()}, "own.ckpt")
    foreign = ["segmentation_models_pytorch.Unet"]
    again = SegmentationModule.load_from_checkpoint("own.ckpt", loss=DiceCrossEntropy(), allow=foreign)
    images = torch.rand(1, 1, 32, 32)
    assert torch.allclose(again.eval()(images), module.eval()(images), atol=1e-5)


def test_loading_without_what_is_missing_is_one_sentence(trained, tmp_path):
    stored = torch.load(checkpoint(trained), weights_only=True)
    stored["segapp"]["net"] = {}
    torch.save(stored, tmp_path / "x.ckpt")
    with pytest.raises(MisuseError, match="holds no description of its network"):
        SegmentationModule.load_from_checkpoint(tmp_path / "x.ckpt")


def test_the_code_of_the_documentation_runs(trained, tmp_path, monkeypatch):
    shutil.copy(checkpoint(trained), tmp_path / "best.ckpt")
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / "data/mine" / folder).mkdir(parents=True)
    write_pairs(range(8), tmp_path / "data/mine")
    write_image(tmp_path / "photos/a.png", np.zeros((40, 40, 3), np.uint8))
    write_mask(tmp_path / "truth/a.png", np.ones((40, 40), np.uint8), ((0, 0, 0), (9, 9, 9)))
    write_image(tmp_path / "photo.png", np.zeros((40, 40, 3), np.uint8))
    page = (Path(__file__).parents[1] / "docs/python.md").read_text()
    small = {"max_epochs=10": "max_epochs=1, accelerator='cpu'", "crop=256": "crop=32, num_workers=0, batch_size=2"}
    small["logger=False"] = "logger=False, num_sanity_val_steps=0, enable_model_summary=False"
    small["data.num_classes)"] = "data.num_classes, segapp_encoder)"
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        for long, short in small.items():
            code = code.replace(long, short)
        exec(code, {"segapp_encoder": partial(PlainEncoder, widths=(4, 8))})
    assert Path("photo_mask.png").is_file()
    assert Path("masks/mask/a.png").is_file()
    assert Path("runs/mine/checkpoints/last.ckpt").is_file()
    assert Path("runs/mine/metrics.csv").is_file()
