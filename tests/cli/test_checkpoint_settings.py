"""What a checkpoint's settings can make a verb of the trainer do: nothing but what they are listed for."""

import sys
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonargparse import Namespace

from segapp.cli.checkpoint_settings import (
    RUN_FOLDER,
    keep_kind_of_weights,
    place_loggers,
    read_checkpoint_settings,
)
from segapp.errors import MisuseError
from tests.cli import hostile


@pytest.fixture(autouse=True)
def traps(tmp_path, monkeypatch):
    """A folder of its own in the path of imports, with a module whose import is seen."""
    (tmp_path / "evil.py").write_text("open('ran', 'w').close()\nclass Evil: pass\ndef run(*_): pass\n")
    (tmp_path / "evil.yaml").write_text("class_path: evil.Evil\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("evil", None)


def read(config, verb="fit", allowed=(), given=None):
    return read_checkpoint_settings("a.ckpt", hostile.checkpoint(config), verb, list(allowed), given or {})


def without(settings, name):
    return {key: value for key, value in settings.items() if key != name}


def nothing_ran():
    assert "evil" not in sys.modules
    assert not Path(hostile.MARK).exists()


def texts_of(value):
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts_of(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
def test_an_honest_checkpoint_keeps_its_settings(verb):
    config = hostile.config()
    found = read(config, verb)
    assert found["model"]["net"] == config["model"]["net"]
    assert found["data"]["source"] == config["data"]["source"]
    if verb == "fit":
        assert found["trainer"] == without(config["trainer"], "accelerator")
        assert found["data"] == without(config["data"], "num_workers")


def test_scoring_reads_nothing_that_it_does_not_need():
    found = read(hostile.config(), "test")
    assert found.keys() == {"seed_everything", "model", "data", "trainer"}
    assert found["model"].keys() == {"net", "loss"}
    assert not found["data"].keys() & {"augment", "num_workers", "cache_gb", "batch_size"}
    assert not found["trainer"].keys() - {"precision"}


@pytest.mark.parametrize("gadget", hostile.GADGETS)
def test_no_gadget_stands_in_any_place(gadget):
    """In its own role where it has one, in every other, and in an argument that takes anything."""
    made = part(gadget, **hostile.GADGETS[gadget])
    for place in hostile.SLOTS:
        for value in (made, [made], {"a": made}):
            with pytest.raises(MisuseError):
                read(hostile.planted(value, place))
    with pytest.raises(MisuseError):
        read(hostile.planted(part("torch.nn.CrossEntropyLoss", size_average=made), ("model", "loss")))
    nothing_ran()


@pytest.mark.parametrize("text", hostile.TEXTS)
def test_no_text_reaches_what_would_import_or_open_it(text):
    for place in hostile.SLOTS:
        with pytest.raises(MisuseError):
            read(hostile.planted(text, place))
    nothing_ran()


CALLBACKS, DATASETS = "lightning.pytorch.callbacks", "segapp.datasets"
SCHEDULERS, LOGGERS = "torch.optim.lr_scheduler", "lightning.pytorch.loggers"


def part(path, /, **settings):
    return {"class_path": path, "init_args": settings} if settings else {"class_path": path}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("data.source", part(f"{DATASETS}.Folder", images="/etc/*")),
        ("data.source", part(f"{DATASETS}.Folder", masks="../{name}.png")),
        ("data.source", part(f"{DATASETS}.Folder", classes=["a", "../../b"])),
        ("data.source.init_args.root", "s3://bucket/data"),
        ("data.source.init_args.split", part(f"{DATASETS}.Lists", train="/x")),
        ("trainer.logger", part(f"{LOGGERS}.CSVLogger", name="../../x")),
        ("trainer.callbacks", [part(f"{CALLBACKS}.ModelCheckpoint", filename="/x")]),
        ("model.net.init_args.encoder.init_args.widths", [10**9]),
        ("model.net.init_args.encoder.init_args.block.norm", True),
        ("model.net.init_args._instantiator", "evil.run"),
        ("model.net.dict_kwargs", {"a": 1}),
        ("model.net.init_args", {"encoder.class_path": "evil.Evil"}),
    ],
    ids=str,
)
def test_values_that_lead_elsewhere_are_refused(place, value):
    with pytest.raises(MisuseError):
        read(hostile.planted(value, place.split(".")))
    nothing_ran()


def test_where_is_written_is_not_taken_from_a_checkpoint(capsys):
    config = hostile.config()
    loggers = ("CSVLogger", "TensorBoardLogger")
    config["trainer"] |= {
        "default_root_dir": "/elsewhere",
        "plugins": ["evil.Evil"],
        "model_registry": "elsewhere",
        "logger": [
            {"class_path": f"lightning.pytorch.loggers.{name}", "init_args": {"save_dir": "/elsewhere"}}
            for name in loggers
        ],
        "profiler": {
            "class_path": "lightning.pytorch.profilers.SimpleProfiler",
            "init_args": {"dirpath": "/elsewhere", "filename": "times"},
        },
    }
    config["trainer"]["callbacks"].append(
        {
            "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
            "init_args": {"dirpath": "/elsewhere", "monitor": "val/loss"},
        }
    )
    found = read(config)
    assert not [text for text in texts_of(found) if "elsewhere" in text or "evil" in text]
    told = capsys.readouterr()
    for place in ("save_dir", "trainer.profiler.dirpath", "dirpath is not taken"):
        assert place in told.out + told.err


def test_a_function_that_is_a_default_anyway_is_no_obstacle():
    """A run's settings are written down with every default, also those that are functions."""
    finetuning = {
        "class_path": "lightning.pytorch.callbacks.BackboneFinetuning",
        "init_args": {"lambda_func": "lightning.pytorch.callbacks.finetuning.multiplicative", "verbose": True},
    }
    found = read(hostile.planted(finetuning, ("trainer", "callbacks", 0)))
    assert found["trainer"]["callbacks"][0]["init_args"] == {"verbose": True}


FOLDER = part(
    f"{DATASETS}.Folder",
    root="/data",
    classes=["a", "b"],
    group=r"^(p\d+)/..",
    exclude=["/x*"],
    intensity={"kind": "range", "low": 0.0, "high": 1.0},
    split=part(f"{DATASETS}.Fraction"),
    mask=part(f"{DATASETS}.Indices", values={0: 0, 255: 1}),
)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("model.loss", part("torch.nn.CrossEntropyLoss", reduction="sum")),
        ("model.loss", part("segmentation_models_pytorch.losses.DiceLoss", mode="multiclass")),
        ("model.loss", part("segapp.losses.DeepSupervision", loss=part("segapp.losses.Dice"))),
        ("model.optimizer", part("torch.optim.adamw.AdamW", lr=1, betas=[0.9, 0.99])),
        ("model.lr_scheduler", part(f"{SCHEDULERS}.CosineAnnealingLR", T_max=4)),
        ("model.lr_scheduler", part("lightning.pytorch.cli.ReduceLROnPlateau", monitor="val/loss")),
        ("data.augment", [part("albumentations.OneOf", transforms=[part("albumentations.Blur", blur_limit=[3, 7])])]),
        ("data.source", FOLDER),
        ("trainer.callbacks", [part(f"{CALLBACKS}.EarlyStopping", monitor="val/dice/dataset")]),
        ("trainer.callbacks", [part("segapp.lab.gradient_flow.GradientFlow")]),
        ("trainer.max_time", "00:01:00:00"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_runs_are_made_of_passes(place, value):
    found = read(hostile.planted(value, place.split(".")))
    for key in place.split("."):
        found = found[key]
    assert texts_of(found) == texts_of(value)


def test_only_what_the_user_named_passes_beside_it():
    circle = hostile.planted(part("tests.cli.test_parser.Shape"), ("model", "net"))
    with pytest.raises(MisuseError, match=r"--allow tests\.cli\.test_parser\.Shape"):
        read(circle)
    with pytest.raises(MisuseError, match="not a network"):
        read(circle, allowed=["tests.cli"])


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile.values(), st.sampled_from(hostile.SLOTS), st.sampled_from(["fit", "validate", "test"]))
def test_whatever_stands_wherever_nothing_runs(value, place, verb):
    """It is refused, or holds no class beyond the listed ones and no text that leads anywhere."""
    try:
        found = read(hostile.planted(value, place), verb)
    except MisuseError:
        pass
    else:
        assert not set(texts_of(found)) & {*hostile.TEXTS} - {"~/ran"}
    nothing_ran()


def test_the_machine_is_the_users_own(capsys):
    """Where a run was trained says nothing of where it goes on: 1,000 devices are a process each."""
    config = hostile.config()
    hook = part("lightning.pytorch.strategies.DDPStrategy", ddp_comm_hook="evil.run")
    machine = {"accelerator": "cuda", "devices": [0, 1, 2], "num_nodes": 8, "strategy": hook}
    config["trainer"] |= machine
    config["data"] |= {"num_workers": 10**5, "cache_gb": 1e9}
    found = read(config, given={"trainer": {"devices": "1"}})
    assert not found["trainer"].keys() & machine.keys()
    assert not found["data"].keys() & {"num_workers", "cache_gb"}
    told = "".join(capsys.readouterr())
    for option in (
        "--trainer.accelerator",
        "--trainer.num_nodes",
        "--trainer.strategy",
        "--data.num_workers",
        "--data.cache_gb",
    ):
        assert option in told
    assert "--trainer.devices" not in told  # given already


AUGMENT = ("data", "augment", 0)


@pytest.mark.parametrize(
    ("place", "value", "option"),
    [
        (("data", "batch_size"), 10**12, "--data.batch_size"),
        (("data", "crop"), [10**6, 10**6], "--data.crop"),
        (("data", "crop"), [8192, 8192], "--data.batch_size"),  # of 8 a batch of 537 million pixels
        (("data", "crops_per_image"), 10**9, "--data.crops_per_image"),
        (("data", "window"), 10**5, "--data.window"),
        (("data", "source", "init_args", "size"), 10**5, "--data.source.init_args.size"),
        (("data", "source", "init_args", "train"), 10**9, "--data.source.init_args.train"),
        (AUGMENT, part("albumentations.Resize", height=10**6, width=10**6), "--data.augment"),
        (AUGMENT, part("albumentations.PadIfNeeded", min_height=10**9, min_width=10**9), "--data.augment"),
        (AUGMENT, part("albumentations.CoarseDropout", num_holes_range=[10**9, 10**9]), "--data.augment"),
        (AUGMENT, part("albumentations.RandomScale", scale_limit=[1e6, 1e6]), "--data.augment"),
        (AUGMENT, part("albumentations.GaussianBlur", blur_limit=[3, 10**7 + 1]), "--data.augment"),
        (AUGMENT, part("albumentations.ZoomBlur", max_factor=1.5, step_factor=1e-9), "--data.augment"),
        (
            ("trainer", "callbacks", 0),
            part(f"{CALLBACKS}.TQDMProgressBar", process_position=10**9),
            "--trainer.callbacks",
        ),
    ],
    ids=str,
)
def test_sizes_without_end_are_refused_and_name_the_option_that_overrides(place, value, option):
    config = hostile.planted(value, place)
    config["data"]["batch_size"] = config["data"]["batch_size"] if place[1] == "batch_size" else 8
    with pytest.raises(MisuseError, match=f"{option}[ .]"):
        read(config)
    given = 1
    for key in reversed(option.removeprefix("--").split(".")):
        given = {key: given}
    read(config, given=given)


def test_the_look_of_a_progress_bar_is_the_users_own(capsys):
    """Lightning names its type only for type checkers, and Rich would write to whatever it is given."""
    bar = part(
        f"{CALLBACKS}.RichProgressBar", theme={"description": "red"}, console_kwargs={"stderr": True}, leave=True
    )
    found = read(hostile.planted(bar, ("trainer", "callbacks", 0)))
    assert found["trainer"]["callbacks"][0]["init_args"] == {"leave": True}
    assert "theme" in "".join(capsys.readouterr())


@pytest.mark.parametrize("count", [1, 2])
def test_every_logger_of_a_checkpoint_writes_to_the_run_s_folder(count):
    loggers = [Namespace(class_path="l", init_args=Namespace(save_dir=RUN_FOLDER)) for _ in range(count)]
    trainer = Namespace(logger=loggers if count > 1 else loggers[0])
    place_loggers(trainer, Path("runs/a"))
    assert {logger.init_args.save_dir for logger in loggers} == {str(Path("runs/a"))}


@pytest.mark.parametrize(
    ("recorded", "kept"), [(True, True), ("hub", "hub"), ("package", "package"), ("../other.pth", False), ([1], False)]
)
def test_a_config_of_a_resumed_run_has_only_the_kind_of_its_weights(recorded, kept):
    """It counts as the user's own when it trains again."""
    reviewed = {
        "class_path": "a.Net",
        "init_args": {"parts": [{"class_path": "a.B", "init_args": {"pretrained": False}}]},
    }
    wanted = deepcopy(reviewed)
    wanted["init_args"]["parts"][0]["init_args"]["pretrained"] = kept
    hostile_settings = deepcopy(reviewed)
    hostile_settings["init_args"]["checkpoint_path"] = "/etc/passwd"
    hostile_settings["init_args"]["parts"][0]["init_args"] |= {"pretrained": recorded, "pretrained_cfg": {"file": "x"}}
    assert keep_kind_of_weights("a.ckpt", reviewed, hostile_settings) == wanted
