"""`segapp fit`, `validate` and `test`: Lightning's command line, with its traps closed.

* The settings a checkpoint was trained with lie below everything else, so that a checkpoint alone restores model and
  data, and whatever the user types or names in a config beats it.
* Scoring without a usable checkpoint is refused, as are URLs and pickles that hold code.
* Runs have one place and one set of files, whatever the verb.
"""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from segapp.callbacks import AbsentClasses, EvaluationReport, StopWhenAsked
from segapp.checkpoints.building import planned_network
from segapp.checkpoints.bundle import is_bundle, read_bundle
from segapp.checkpoints.checkpoint import read_checkpoint, select_weights
from segapp.checkpoints.roles import ROOMS
from segapp.checkpoints.trust import limited_imports
from segapp.cli.arguments import Arguments
from segapp.cli.checkpoint_settings import classes_of, place_loggers
from segapp.cli.init_from import init_from
from segapp.cli.interrupts import unwind_again
from segapp.cli.parser import ClearErrors
from segapp.cli.resume import (
    explain_finished_run,
    explain_unfit_weights,
    explain_unrestored,
    refuse_other_classes,
    replace_network_settings,
    restore_splits,
)
from segapp.cli.run_settings import gather_settings
from segapp.errors import MisuseError, SegappError, StoppedError
from segapp.loading.datamodule import SegmentationDataModule
from segapp.loading.source_building import check_root
from segapp.models import NamedInit
from segapp.training.bundle_module import BundleModule
from segapp.training.console import print_message, silence_libraries
from segapp.training.devices import apply_torchrun, refuse_unknown_strategy, refuse_what_needs_a_gpu
from segapp.training.dry_run import Measure, make_scratch_folder, remove_scratch, report, shorten_trainer
from segapp.training.failures import explained, keep_traceback, refused
from segapp.training.module import SegmentationModule
from segapp.training.precision import choose_precision, refuse_mixed_under_fsdp, refuse_rounded_weights
from segapp.training.run_folder import (
    PLACE,
    find_job,
    find_last_checkpoint,
    find_run,
    link_latest,
    make_results_folder,
    make_run_folder,
    refuse_other_place,
    remove_if_empty,
)
from segapp.training.summary import format_summary
from segapp.training.trainer_settings import (
    find_stop,
    make_fit_callbacks,
    refuse_addresses,
    refuse_impossible,
    refuse_unfit_callbacks,
    refuse_unknown_monitors,
    trainer_settings,
)
from segapp.training.watchdog import explain_lost_process, is_reported_by_rank_zero, watch_processes


def run(arguments: Arguments) -> int:
    """Run one of Lightning's verbs; raises SegappError for what a person can mend."""
    silence_libraries()
    watch_processes()
    try:
        SegmentationCLI(arguments)
    except MisconfigurationException as error:
        raise MisuseError(" ".join(str(error).split())) from error
    except SegappError as error:
        if is_reported_by_rank_zero(error):
            raise SystemExit(error.exit_code) from error
        raise
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MisuseError(f"a config is not YAML, or not text: {' '.join(str(error).split())}.") from error
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        return int(stop.code or 0)
    finally:
        remove_scratch()
        remove_if_empty()
    return 0


CHECKED_LATE = ("val_check_interval", "accumulate_grad_batches")
"""Settings of the trainer that Lightning looks at when it trains; its ValueError names them."""


class SegmentationParser(ClearErrors, LightningArgumentParser):
    """Lightning's parser with errors for people."""


class SegmentationCLI(LightningCLI):
    """fit, validate and test of a SegmentationModule on a SegmentationDataModule."""

    def __init__(self, arguments: Arguments) -> None:
        self.typed = arguments
        self.checkpoint: dict[str, Any] | None = None
        self._stop: StopWhenAsked | None = None
        self.measure: Measure | None = None  # of a dry run
        path = arguments.get("--ckpt_path")
        is_scored = path is not None and arguments.command != "fit" and is_bundle(path)
        self.bundle = read_bundle(path) if path is not None and is_scored else None  # scored in place of a checkpoint
        self._net: dict[str, Any] | None = None  # as it was begun with, where a checkpoint fills it
        self._restored: dict[str, Any] | None = None  # the settings that came from a checkpoint
        exact = {"allow_abbrev": False}
        super().__init__(
            BundleModule if self.bundle else SegmentationModule,
            SegmentationDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_class=SegmentationParser,
            parser_kwargs={"prog": "segapp", **exact, **{verb: dict(exact) for verb in self.subcommands()}},
            trainer_defaults={"use_distributed_sampler": False, "default_root_dir": "runs"},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=[arguments.command, *arguments.words],
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Leave out prediction, which is a function of its own, and the option `weights_only=False`."""
        ours = {"model", "datamodule", "weights_only"}
        return {
            "fit": ours | {"train_dataloaders", "val_dataloaders"},
            "validate": ours | {"dataloaders", "verbose"},
            "test": ours | {"dataloaders", "verbose"},
        }

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the run's name, and what the model learns from the data."""
        parser.add_argument("--name", type=str, default="unet", help="The run is written to runs/<name>/<time>.")
        about_jobs = "The run is written to runs/<name>/<job>; the same job again goes on where it stopped."
        foreign = "Class or package outside segapp that the checkpoint may use; repeat it."
        parser.add_argument("--allow", type=str | None, default=None, help=foreign)
        parser.add_argument("--job", type=str | None, default=None, help=about_jobs)
        anew = "Divide the images by the data's own split, not by the checkpoint's: for other images."
        parser.add_argument("--new_split", type=bool, default=False, help=anew)
        parser.add_argument("--dry_run", type=bool, default=False, help="Measure a few steps of a fit, keep nothing.")
        about_weights = (
            "Checkpoint or bundle of weights that a new fit starts from, also with other classes or channels."
        )
        parser.add_argument("--init_from", type=str | None, default=None, help=about_weights)
        if self.bundle is None:
            parser.link_arguments("data.num_classes", "model.net.init_args.num_classes", apply_on="instantiate")
            parser.link_arguments("data.channels", "model.net.init_args.in_channels", apply_on="instantiate")
        parser.link_arguments("data.spec", "model.spec", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed")

    # ------------------------------------------------------------------------------------------ parsing

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Merge the checkpoint's settings, the configs and what is typed; the parser gets them as one config."""
        found = gather_settings(self.typed, self.bundle)
        self.checkpoint, self._restored = found.checkpoint, found.restored
        with self._imports(ROOMS):
            self.config = parser.parse_args(found.words)

    def _imports(self, classes: Sequence[str]) -> AbstractContextManager[None]:
        """Limit what is imported, where settings came from a checkpoint, to these classes and those the user named."""
        if self._restored is None:
            return nullcontext()
        return limited_imports([*classes, *self.typed.named_classes])

    def _set_seed(self) -> None:
        """Seed everything, once the seed is known to be one."""
        seed = self._get(self.config, "seed_everything")
        if not isinstance(seed, bool) and not 0 <= seed < 2**32:
            raise MisuseError(f"seed_everything is 0 … 4294967295, got {seed}.")
        super()._set_seed()

    def _parse_ckpt_path(self) -> None:
        """Do nothing: `parse_arguments` has done it, in the right order."""

    # ------------------------------------------------------------------------------------------ instantiation

    def before_instantiate_classes(self) -> None:
        """Resolve what was left open, so that the run's config says what was done."""
        unwind_again()  # from here on there is something to tidy up
        settings = self.config[self.subcommand]
        refuse_what_needs_a_gpu(settings.trainer)
        refuse_unknown_strategy(settings.trainer.strategy)
        refuse_rounded_weights(settings.trainer.precision)
        strategy = settings.trainer.strategy
        refuse_mixed_under_fsdp(settings.trainer.precision, getattr(strategy, "class_path", strategy))
        refuse_impossible(settings.trainer)
        if self.subcommand == "fit":
            refuse_unfit_callbacks(_listed(settings.trainer.callbacks))
        refuse_addresses(settings)
        if settings.trainer.precision is None:
            settings.trainer.precision = choose_precision(
                str(settings.trainer.accelerator), getattr(strategy, "class_path", strategy)
            )
            print_message(
                f"precision: {settings.trainer.precision} (the fastest safe one here; --trainer.precision overrides)"
            )
        for key, number in apply_torchrun(settings.trainer, os.environ).items():
            settings.trainer[key] = number
        job = find_job(settings.job, os.environ)
        checkpoint_path = settings.get("ckpt_path")
        run = find_run(Path(checkpoint_path)) if checkpoint_path else None
        root = Path(settings.trainer.default_root_dir or "runs")
        if self.subcommand == "fit" and settings.trainer.max_epochs == 0:
            raise MisuseError("trainer.max_epochs is 0, which trains nothing; give 1 or more.")
        if self.subcommand == "fit" and checkpoint_path and settings.trainer.fast_dev_run:
            raise MisuseError("trainer.fast_dev_run tries a few batches from the beginning: leave --ckpt_path out.")
        if settings.new_split and self.checkpoint is None and self.bundle is None:
            raise MisuseError("--new_split divides the images of a checkpoint anew: give --ckpt_path, or leave it out.")
        if self.subcommand != "fit" and settings.dry_run:
            raise MisuseError(f"--dry_run measures a fit; segapp {self.subcommand} has none.")
        if self.typed.get("--init_from") and (checkpoint_path or self.subcommand != "fit"):
            raise MisuseError("--init_from starts a new fit from other weights, --ckpt_path brings its own: give one.")
        if settings.dry_run:
            self.measure, self.folder = Measure(), make_scratch_folder()
            settings.ckpt_path = None  # its settings and its data are measured, not what is left of it
        elif self.subcommand == "fit":
            if run is not None:
                refuse_other_place(run, [name for name in PLACE if self.typed.get(name)])
            self.folder = run or make_run_folder(root, settings.name, job)
            print_message(f"run: {self.folder}")
            if run is None and (last := find_last_checkpoint(self.folder)):
                self._go_on(last)
            if self.checkpoint is not None and (sentence := explain_finished_run(self.checkpoint, settings.trainer)):
                print_message(sentence)
        else:
            beside = run if self.typed.get("--trainer.default_root_dir") is None else None
            self.folder = make_results_folder(beside or root / settings.name, str(self.subcommand), job)
        place_loggers(settings.trainer, self.folder)

    def _go_on(self, last: Path) -> None:
        """Resume a job that was started again by its launcher."""
        print_message(f"going on from {last}")
        self.checkpoint = read_checkpoint(str(last))
        self.config[self.subcommand].ckpt_path = str(last)
        self.config[self.subcommand].new_split = False  # it has one already

    def instantiate_classes(self) -> None:
        """Make every initial weight a function of (seed, its name).

        Runs that share a part start from the same weights there.
        """
        if self.checkpoint is not None:
            self._prepare_for_checkpoint(self.checkpoint)
        try:
            with self._imports(classes_of(self._collect_config())), NamedInit() as drawn:
                super().instantiate_classes()
        except (ValueError, TypeError) as error:
            raise refused(error) from error
        if self.subcommand != "fit":
            return
        kept = drawn.resample(self.model.net, int(self._get(self.config, "seed_everything")))
        if kept:
            print(f"{len(kept)} parameters are filled in parts and not seeded by their names: {', '.join(kept[:3])}.")

    def _prepare_for_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the network fetch nothing, and look at what it and the data cost before anything is made."""
        settings, own = self.config[self.subcommand], self.typed.named_classes
        path = str(settings.ckpt_path or self.typed.get("--ckpt_path"))  # a dry run loads none
        record, plain = checkpoint["segapp"], self._collect_config()
        self._net = plain["model"]["net"]
        settings.model.net = replace_network_settings(path, settings.model.net.as_dict(), own)
        if self._restored is None:
            return
        if self._net == self._restored["model"]["net"]:
            self._net = record["config"]["model"]["net"]
        sizes = {name: record["net"].get("init_args", {}).get(name) for name in ("in_channels", "num_classes")}
        net = settings.model.net.as_dict()
        net = {**net, "init_args": {**net.get("init_args", {}), **sizes}}
        planned_network(path, net, own, select_weights("net.", checkpoint))
        root = (plain["data"]["source"].get("init_args") or {}).get("root")
        if root is not None and not self.typed.gives(str(root)):
            check_root(path, root, "name the folder with --data.source.init_args.root")

    def after_instantiate_classes(self) -> None:
        """Score what the checkpoint was not trained on: its own split, wherever the images are now."""
        if self.bundle is not None:
            refuse_other_classes(self.bundle.spec.classes, self.datamodule.spec.classes)
        start = self._get(self.config, "init_from")
        if self.checkpoint is None and self.subcommand == "fit" and start:
            print_message(init_from(start, self.model.net, self.model.spec))
        if self.checkpoint is None:
            return
        record = self.checkpoint["segapp"]
        there = tuple(record["spec"]["classes"])
        refuse_other_classes(there, self.datamodule.spec.classes, str(self.subcommand))
        settings = self.config[self.subcommand]
        restore_splits(self.datamodule, self._collect_config()["data"], record, settings.new_split)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer from the user's settings and callbacks, and those that every run has."""
        settings = {**self._get(self.config_init, "trainer"), **kwargs}
        fit = self.subcommand == "fit"
        if fit:
            refuse_unknown_monitors(settings["callbacks"] or [], self.model.validated)
        settings = trainer_settings(settings, self.folder, fit, self._make_callbacks(fit))
        if self.measure is not None:
            settings = shorten_trainer(settings) | {"callbacks": [*settings["callbacks"], self.measure]}
        return self.trainer_class(**settings)

    def _make_callbacks(self, fit: bool) -> list[Any]:
        if not fit:
            return [EvaluationReport(self.folder)]
        self._stop = find_stop(self.folder)
        seed = int(self._get(self.config, "seed_everything"))
        watchers = make_fit_callbacks(self.folder, seed, self._collect_config(), self._stop)
        return [one for one in watchers if self.measure is None or not isinstance(one, AbsentClasses)]

    def _collect_config(self) -> dict[str, Any]:
        """Collect the settings of this run in plain types: what a checkpoint keeps."""
        parser = self._parser(self.subcommand)
        text = parser.dump(_without_enums(self.config[self.subcommand].clone()), skip_none=False, format="yaml")
        config: dict[str, Any] = yaml.safe_load(text)
        if self._net is not None:
            config["model"]["net"] = self._net
        return {key: config[key] for key in ("name", "seed_everything", "init_from", "model", "data", "trainer")}

    # ------------------------------------------------------------------------------------------ running

    def _run_subcommand(self, subcommand: str) -> None:
        """Run the verb; what a person can mend becomes one sentence, its traceback kept in the run's folder."""
        try:
            super()._run_subcommand(subcommand)
        except MisconfigurationException:
            raise
        except SegappError as error:
            if self._stop is not None and self._stop.asked and not isinstance(error, StoppedError):
                raise self._stop.explain_stop(error) from error
            raise
        except Exception as error:
            if isinstance(error, ValueError) and any(name in str(error) for name in CHECKED_LATE):
                raise MisuseError(" ".join(str(error).split())) from error
            failure = (
                self.datamodule.explain_dead_worker(error)
                or self._explain_unfit_weights(error)
                or explained(error, subcommand, self.config[subcommand], self.folder)
                or explain_unrestored(error, self.config[subcommand].ckpt_path)
                or (explain_lost_process(error) if self.trainer.world_size > 1 else None)
            )
            if failure is None:
                raise
            if self.measure is None and not isinstance(failure, MisuseError):
                keep_traceback(error, self.folder)
            raise failure from error

    def _explain_unfit_weights(self, error: Exception) -> SegappError | None:
        old = self.checkpoint["segapp"]["config"]["model"] if self.checkpoint else None
        return explain_unfit_weights(
            error, self.config[self.subcommand].ckpt_path, old, self._collect_config()["model"]
        )

    # ------------------------------------------------------------------------------------------ verdicts

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        quiet = {} if subcommand == "fit" else {"verbose": False}
        return super()._prepare_subcommand_kwargs(subcommand) | {"weights_only": True, **quiet}

    def before_fit(self) -> None:
        """Link the newest run under a name of its own."""
        if self.measure is None:
            link_latest(self.folder)

    def after_fit(self) -> None:
        """Report the best validation, where it is kept, and the next command."""
        if not self.trainer.is_global_zero:
            return
        if self.measure is not None:
            print(report(self.measure, self.trainer, self.config["fit"], self.folder))
        else:
            print(format_summary(self.folder, self.datamodule.spec.classes))
        if self.measure is None and self._stop is not None and self._stop.last.cut:
            print(
                f"a limit ended it in the middle of an epoch, after {self.trainer.global_step} steps; it goes on with "
                f"a larger --trainer.max_steps or --trainer.max_time: {self._stop.last.command}"
            )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _without_enums(config: Any) -> Any:
    """Replace members of enumerations, such as Lightning's defaults, by their values: YAML has no such things."""
    if isinstance(config, list):
        return [_without_enums(value) for value in config]
    if isinstance(config, dict | Namespace):
        for key, value in list(vars(config).items() if isinstance(config, Namespace) else config.items()):
            config[key] = _without_enums(value)
    return config.value if isinstance(config, Enum) else config
