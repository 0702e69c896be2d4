"""`segapp fit`, `validate` and `test`: Lightning's command line, with its traps closed.

* The settings a checkpoint was trained with are read before anything else on the command line, so that a checkpoint
  alone restores model and data, and whatever the person types or names in a config beats it.
* Scoring without a usable checkpoint is refused, as are URLs and pickles that hold code.
* Runs have one place and one set of files, whatever the verb.
"""

import logging
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from segapp.callbacks import (
    BestCheckpoint,
    Curves,
    EvaluationReport,
    LastCheckpoint,
    ProgressBar,
    RunRecord,
    SeedEachStep,
)
from segapp.cli.parser import ClearErrors, start_afresh_when_a_class_changes
from segapp.cli.precision import fastest_safe_precision
from segapp.cli.runs import new_run, new_verdict, newest_best, run_of
from segapp.datamodule import SegmentationDataModule
from segapp.errors import MisuseError
from segapp.inference import check_class_paths, limited_imports, open_networks, read_checkpoint
from segapp.inference.bundle import Bundle, is_bundle, read_bundle
from segapp.module import SegmentationModule

CHOICES = ("symmetries", "scales", "average", "min_object", "min_hole")
"""What a bundle's spec says of better predictions: scored as it predicts."""


def run(arguments: Sequence[str]) -> int:
    """Run one of Lightning's verbs; raises SegappError for what a person can mend."""
    start_afresh_when_a_class_changes()
    _quieten()
    try:
        SegmentationCLI(list(arguments))
    except MisconfigurationException as error:
        raise MisuseError(" ".join(str(error).split())) from error
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        return int(stop.code or 0)
    return 0


class SegmentationParser(ClearErrors, LightningArgumentParser):
    """Lightning's parser with errors for people."""


class SegmentationCLI(LightningCLI):
    """fit, validate and test of a SegmentationModule on a SegmentationDataModule."""

    def __init__(self, arguments: list[str]) -> None:
        self.checkpoint: dict[str, Any] | None = None
        self.bundle: Bundle | None = None  # scored in place of a checkpoint
        self._imports: AbstractContextManager[None] = nullcontext()  # what a checkpoint's settings may import
        exact = {"allow_abbrev": False}
        super().__init__(
            SegmentationModule,
            SegmentationDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_class=SegmentationParser,
            parser_kwargs={"prog": "segapp", **exact, **{verb: dict(exact) for verb in self.subcommands()}},
            trainer_defaults={"use_distributed_sampler": False, "default_root_dir": "runs"},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=arguments,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Prediction is a function of its own, and nobody is offered `weights_only=False`."""
        ours = {"model", "datamodule", "weights_only"}
        return {
            "fit": ours | {"train_dataloaders", "val_dataloaders"},
            "validate": ours | {"dataloaders", "verbose"},
            "test": ours | {"dataloaders", "verbose"},
        }

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The run's name, and what the model learns from the data."""
        parser.add_argument("--name", type=str, default="unet", help="The run is written to runs/<name>/<time>.")
        parser.link_arguments("data.num_classes", "model.net.init_args.num_classes", apply_on="instantiate")
        parser.link_arguments("data.channels", "model.net.init_args.in_channels", apply_on="instantiate")
        parser.link_arguments("data.spec", "model.spec", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed")

    # ------------------------------------------------------------------------------------------ parsing

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Read the checkpoint's settings first, then the configs and options as they were typed."""
        assert isinstance(args, list)
        verb, options = args[0], args[1:]
        self.typed = options
        asks_for_help = any(option in ("-h", "--help") for option in options)
        path = _option(options, "--ckpt_path")
        if path is not None and verb != "fit" and is_bundle(path):
            self.bundle = read_bundle(path)
            options = ["--config", _settings_of_bundle(self.bundle), *_without(options, "--ckpt_path")]
        elif path is not None:
            self.checkpoint = read_checkpoint(path)
            self._imports = limited_imports(_named_by_the_person(options))
            options = ["--config", self._settings_of(self.checkpoint, verb, options), *options]
        elif verb != "fit" and not asks_for_help:
            raise MisuseError(f"segapp {verb} scores a checkpoint: give --ckpt_path FILE.{newest_best()}")
        elif not asks_for_help and not options:
            raise MisuseError("segapp fit needs a config: segapp fit --config configs/unet.yaml")
        with self._imports:
            self.config = parser.parse_args([verb, *options])
        if path is None and self.config[verb].get("ckpt_path"):
            raise MisuseError("ckpt_path belongs on the command line (--ckpt_path FILE), not in a config.")

    def _settings_of(self, checkpoint: dict[str, Any], verb: str, options: list[str]) -> str:
        """The checkpoint's config as YAML: all of it to go on training, model and data to score."""
        config = checkpoint["segapp"]["config"]
        check_class_paths(config, allowed=_named_by_the_person(options))
        if verb != "fit":
            trainer = {"precision": config["trainer"]["precision"]}
            config = {key: config[key] for key in ("seed_everything", "model", "data")} | {"trainer": trainer}
        return yaml.safe_dump(config, sort_keys=False)

    def _parse_ckpt_path(self) -> None:
        """Nothing: `parse_arguments` has done it, in the right order."""

    # ------------------------------------------------------------------------------------------ instantiation

    def before_instantiate_classes(self) -> None:
        """Resolve what was left open, so that the run's config says what was done."""
        settings = self.config[self.subcommand]
        if settings.trainer.precision is None:
            settings.trainer.precision = fastest_safe_precision(str(settings.trainer.accelerator))
            print(f"precision: {settings.trainer.precision} (the fastest safe one here; --trainer.precision overrides)")
        checkpoint_path = settings.get("ckpt_path")
        run = run_of(Path(checkpoint_path)) if checkpoint_path else None
        root = Path(settings.trainer.default_root_dir or "runs")
        if self.subcommand == "fit":
            self.folder = run or new_run(root, settings.name)
            print(f"run: {self.folder}")
        else:
            self.folder = new_verdict(run or root / settings.name, str(self.subcommand))

    def after_instantiate_classes(self) -> None:
        """Score what the checkpoint was not trained on: its own split, where the data are the same."""
        if self.bundle is not None:
            self._score_bundle(self.bundle)
        if self.checkpoint is None:
            return
        record = self.checkpoint["segapp"]
        if self._plain_config()["data"]["source"] == record["config"]["data"]["source"]:
            self.datamodule.restore_splits(record["splits"])
        self._check_classes(tuple(record["spec"]["classes"]))

    def _score_bundle(self, bundle: Bundle) -> None:
        """Its networks compute, averaged and cleaned as its spec says; windows are those of the data section."""
        self._check_classes(bundle.spec.classes)
        allowed = _named_by_the_person(self.typed)
        networks = open_networks([bundle.folder], allowed, "auto" if bundle.format == "weights" else "cpu")
        kept = {name: getattr(bundle.spec, name) for name in CHOICES} | {"precision": networks.spec.precision}
        self.model.spec = replace(self.model.spec, **kept)
        self.model.runtime = networks.runtime(self.model.spec)

    def _check_classes(self, classes: tuple[str, ...]) -> None:
        if self.datamodule.spec.classes != classes:
            raise MisuseError(
                f"the checkpoint knows the classes {', '.join(classes)}; "
                f"the data has {', '.join(self.datamodule.spec.classes)}. Give data with the same classes."
            )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The person's trainer settings and callbacks, and those every run has."""
        settings = {**self._get(self.config_init, "trainer"), **kwargs}
        fit = self.subcommand == "fit"
        shown = [] if settings["enable_progress_bar"] is False else [ProgressBar()]
        settings["callbacks"] = [*(settings["callbacks"] or []), *shown, *self._watchers(fit)]
        if not fit:
            settings["logger"] = False
        elif settings["logger"] in (None, True):
            settings["logger"] = TensorBoardLogger(str(self.folder), name="", version="tensorboard")
        settings["enable_checkpointing"] = fit
        settings["enable_model_summary"] = bool(settings["enable_model_summary"])
        settings["default_root_dir"] = str(self.folder)
        return self.trainer_class(**settings)

    def _watchers(self, fit: bool) -> list[Any]:
        if not fit:
            return [EvaluationReport(self.folder)]
        seed = int(self._get(self.config, "seed_everything"))
        checkpoints = self.folder / "checkpoints"
        return [
            SeedEachStep(seed),
            RunRecord(self.folder, self._plain_config()),
            Curves(self.folder),
            BestCheckpoint(checkpoints),
            LastCheckpoint(checkpoints),
        ]

    def _plain_config(self) -> dict[str, Any]:
        """What this run is made of, in plain types: what a checkpoint keeps."""
        parser = self._parser(self.subcommand)
        text = parser.dump(self.config[self.subcommand], skip_none=False, format="yaml")
        config: dict[str, Any] = yaml.safe_load(text)
        return {key: config[key] for key in ("name", "seed_everything", "model", "data", "trainer")}

    # ------------------------------------------------------------------------------------------ verdicts

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        quiet = {} if subcommand == "fit" else {"verbose": False}
        return super()._prepare_subcommand_kwargs(subcommand) | {"weights_only": True, **quiet}

    def after_fit(self) -> None:
        """The best validation, where it is kept, and what to type next."""
        if self.trainer.is_global_zero:
            print(_summary(self.folder, self.datamodule.spec.classes))


def _option(options: list[str], name: str) -> str | None:
    """The last value of `--name value` or `--name=value`."""
    value = None
    for index, word in enumerate(options):
        if word.startswith(f"{name}="):
            value = word.partition("=")[2]
        elif word == name and index + 1 < len(options):
            value = options[index + 1]
    return value


def _without(options: list[str], name: str) -> list[str]:
    """The options but `--name value` and `--name=value`."""
    kept, words = [], iter(options)
    for word in words:
        if word == name:
            next(words, None)
        elif not word.startswith(f"{name}="):
            kept.append(word)
    return kept


def _settings_of_bundle(bundle: Bundle) -> str:
    """As YAML: windows as saved, no network to build, and no precision of Lightning's, which computes nothing."""
    spec = bundle.spec
    data = {"overlap": spec.overlap, "blend": spec.blend, "window": list(spec.window)}
    data |= {"resize": list(spec.resize)} if spec.resize else {}
    model = {
        "net": {"class_path": "segapp.module.Exported"},
        "loss": {"class_path": "torch.nn.Identity"},
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
    }
    trainer = {"precision": "32-true", "accelerator": "cpu"}
    return yaml.safe_dump({"model": model, "data": data, "trainer": trainer}, sort_keys=False)


def _named_by_the_person(options: list[str]) -> list[str]:
    """The class paths on this command line and in the configs it names: those the person vouches for."""
    named = []
    for word in options:
        _, _, value = word.rpartition("=")
        path = Path(value)
        if path.suffix in (".yaml", ".yml", ".json") and path.is_file():
            named += _class_paths(yaml.safe_load(path.read_text()))
        elif all(part.isidentifier() for part in value.split(".")) and "." in value:
            named.append(value)
    return named


def _class_paths(config: Any) -> list[str]:
    if isinstance(config, dict):
        own = [config["class_path"]] if isinstance(config.get("class_path"), str) else []
        return own + [path for value in config.values() for path in _class_paths(value)]
    if isinstance(config, list):
        return [path for value in config for path in _class_paths(value)]
    return []


def _summary(folder: Path, classes: Sequence[str]) -> str:
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


def _quieten() -> None:
    """Silence what a person can do nothing about, and Lightning's advertisements."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message, category in (
        (r".*isinstance\(treespec, LeafSpec\).*", FutureWarning),
        (r".*does not have many workers.*", UserWarning),
        (r".*The number of training batches.*", UserWarning),
        (r".*callbacks used to create the checkpoint need to be provided.*", UserWarning),
        (r".*Checkpoint directory .* exists and is not empty.*", UserWarning),
    ):
        warnings.filterwarnings("ignore", message=message, category=category)
