"""Lightning's command line for one module and one data module, with its traps closed."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from segapp.callbacks import AbsentClasses, EvaluationReport, StopWhenAsked, TrainingReport
from segapp.callbacks.temperature import FitTemperature
from segapp.callbacks.trackers import refuse_lost_names
from segapp.checkpoints.bundle import is_bundle, read_bundle
from segapp.checkpoints.checkpoint import read_checkpoint
from segapp.checkpoints.roles import IMPORTABLE_MODULES
from segapp.checkpoints.trust import limited_imports
from segapp.cli.arguments import Arguments
from segapp.cli.checkpoint_agreement import refuse_costly_parts, refuse_other_classes, restore_splits
from segapp.cli.checkpoint_settings import (
    keep_kind_of_weights,
    list_classes,
    place_loggers,
    replace_network_settings,
)
from segapp.cli.init_from import load_initial_weights
from segapp.cli.interrupts import restore_handlers
from segapp.cli.parser import ClearErrors
from segapp.cli.plain_config import collect_comments, collect_config
from segapp.cli.run_checks import check_run, check_trainer, drop_unused_loggers, fill_trainer
from segapp.cli.run_failures import explain_failure
from segapp.cli.run_limits import explain_cut, explain_finished_run
from segapp.cli.run_options import add_run_options
from segapp.cli.run_place import place_fit, place_results
from segapp.cli.run_settings import gather_settings
from segapp.cli.scoring_options import apply_scoring_options, require_pixel_sizes
from segapp.cli.thresholds import Thresholds
from segapp.errors import MisuseError, SegappError, StoppedError
from segapp.loading.datamodule import SegmentationDataModule
from segapp.models import NamedInit
from segapp.system.garbage import resume_collection
from segapp.system.user_modules import search_current_folder
from segapp.training.bundle_module import BundleModule
from segapp.training.console import print_message
from segapp.training.dry_run import Measure, format_report, make_scratch_folder, shorten_trainer
from segapp.training.failures import explain_refusal, keep_traceback
from segapp.training.module import SegmentationModule
from segapp.training.run_folder import find_last_checkpoint, link_latest
from segapp.training.summary import format_summary
from segapp.training.trainer_settings import (
    make_fit_callbacks,
    make_stop_callback,
    make_trainer_settings,
    refuse_unfit_filenames,
    refuse_unknown_monitors,
)

for _limit in ("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches"):
    # Lightning says int or float: 1 is one batch and 1.0 all of them. But Python keeps one object for both orders of a
    # `Union`, here that of another parameter with float first, and the parser tries the types in its order.
    Trainer.__init__.__annotations__[_limit] = int | float | None


class SegmentationParser(ClearErrors, LightningArgumentParser):
    """Lightning's parser with readable errors, for which no text is the name of a config."""

    def add_class_arguments(self, *arguments: Any, sub_configs: bool = False, **options: Any) -> list[str]:
        """Add the parameters of a class, without sub-configs.

        Where a parameter may be a class, Lightning has text read as a config if the current folder holds a file of that
        name: `profiler: simple` of a checkpoint would read ./simple, which nobody has checked.
        """
        added: list[str] = super().add_class_arguments(*arguments, sub_configs=False, **options)
        return added


class SegmentationCLI(LightningCLI):
    """fit, validate and test of a SegmentationModule on a SegmentationDataModule."""

    def __init__(self, arguments: Arguments) -> None:
        self.typed = arguments
        self.checkpoint: dict[str, Any] | None = None
        self._stop: StopWhenAsked | None = None
        self.measure: Measure | None = None  # of a dry run
        self._thresholds = Thresholds({})
        path = arguments.get("--ckpt_path")
        is_scored = path is not None and arguments.command != "fit" and is_bundle(path)
        self.bundle = read_bundle(path) if path is not None and is_scored else None  # scored in place of a checkpoint
        self._net: dict[str, Any] | None = None  # the network's settings, where a checkpoint brings its weights
        self._restored: dict[str, Any] | None = None  # the settings that came from a checkpoint
        exact = {"allow_abbrev": False}
        super().__init__(
            BundleModule if self.bundle else SegmentationModule,
            SegmentationDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_class=SegmentationParser,
            parser_kwargs={"prog": "segapp", **exact, arguments.command: dict(exact)},
            trainer_defaults={"use_distributed_sampler": False, "default_root_dir": "runs"},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=[arguments.command, *arguments.words],
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # Lightning asks the object, not the class
        """Return the command that was given and the arguments of its method that are no options.

        Lightning builds a parser for every command that is listed here, and each takes a quarter of a second.
        """
        ours = {"model", "datamodule", "weights_only"}  # `weights_only=False` would run what a pickle holds
        others = {"train_dataloaders", "val_dataloaders"} if self.typed.command == "fit" else {"dataloaders", "verbose"}
        return {self.typed.command: ours | others}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of a run, and what the model learns from the data."""
        add_run_options(parser)
        if self.bundle is None:
            parser.link_arguments("data.num_classes", "model.net.init_args.num_classes", apply_on="instantiate")
            parser.link_arguments("data.channels", "model.net.init_args.in_channels", apply_on="instantiate")
        parser.link_arguments("data.spec", "model.spec", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Merge the checkpoint's settings, the configs and what is typed; the parser gets them as one config."""
        found = gather_settings(self.typed, self.bundle)
        self.checkpoint, self._restored = found.checkpoint, found.restored
        with self._imports(IMPORTABLE_MODULES):
            self.config = parser.parse_args(found.words)

    def _imports(self, classes: Sequence[str]) -> AbstractContextManager[None]:
        """Limit what is imported, where settings came from a checkpoint, to these classes and those the user named."""
        if self._restored is None:
            search_current_folder(self.typed.named_classes)
            return nullcontext()
        return limited_imports([*classes, *self.typed.named_classes])

    def _set_seed(self) -> None:
        """Seed everything, once the seed is known to be one."""
        seed = self._get(self.config, "seed_everything")
        if not isinstance(seed, bool) and not 0 <= seed < 2**32:
            raise MisuseError(f"seed_everything must be 0 … 4294967295, got {seed}.")
        super()._set_seed()

    def _parse_ckpt_path(self) -> None:
        """Do nothing: `parse_arguments` has done it, in the right order."""

    def before_instantiate_classes(self) -> None:
        """Fill in missing settings, so that the run's config holds all of them."""
        restore_handlers()  # from here on there is something to clean up
        resume_collection()
        settings = self.config[self.subcommand]
        check_trainer(settings, str(self.subcommand))
        fill_trainer(settings.trainer)
        self._thresholds = Thresholds.parse(self.typed.get_all("--fail_under") or settings.fail_under)
        check_run(settings, self.typed, has_split=self.checkpoint is not None or self.bundle is not None)
        drop_unused_loggers(settings, str(self.subcommand))
        if settings.dry_run:
            self.measure, self.folder = Measure(), make_scratch_folder()
            settings.ckpt_path = None  # a dry run measures the whole run, not its remaining part
        elif self.subcommand == "fit":
            self._place_fit(settings)
        else:
            self.folder = place_results(settings, self.typed)
        place_loggers(settings.trainer, self.folder)

    def _place_fit(self, settings: Namespace) -> None:
        """Choose the folder of a fit; a job that a launcher restarts resumes from its last checkpoint."""
        self.folder, is_resumed = place_fit(settings, self.typed)
        print_message(f"run: {self.folder}")
        if not is_resumed and (last := find_last_checkpoint(self.folder)):
            print_message(f"resuming from {last}")
            self.checkpoint = read_checkpoint(str(last))
            settings.ckpt_path = str(last)
            settings.new_split = False  # it has one already
        if self.checkpoint is not None and (message := explain_finished_run(self.checkpoint, settings.trainer)):
            print_message(message)

    def instantiate_classes(self) -> None:
        """Make the objects of the run; every initial weight is a function of the seed and its name.

        Runs that share a part start from the same weights there.
        """
        if self.checkpoint is not None:
            self._prepare_for_checkpoint(self.checkpoint)
        try:
            with self._imports(list_classes(self._collect_config())), NamedInit() as sampled_weights:
                super().instantiate_classes()
        except (ValueError, TypeError, OverflowError) as error:
            raise explain_refusal(error) from error
        if self.subcommand != "fit":
            return
        kept = sampled_weights.resample(self.model.net, int(self._get(self.config, "seed_everything")))
        if kept:
            print(
                f"{len(kept)} parameters are initialised in parts, so they are not seeded by their names: "
                f"{', '.join(kept[:3])}."
            )

    def _prepare_for_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Prevent downloads of the network, and check its size and the data before anything is made."""
        settings, own = self.config[self.subcommand], self.typed.named_classes
        path = str(settings.ckpt_path or self.typed.get("--ckpt_path"))  # a dry run loads none
        record, plain = checkpoint["segapp"], self._collect_config()
        self._net = plain["model"]["net"]
        settings.model.net = replace_network_settings(path, settings.model.net.as_dict(), own)
        if self._restored is None:
            return
        if self._net == self._restored["model"]["net"]:
            self._net = keep_kind_of_weights(path, self._net, record["config"]["model"]["net"])
        refuse_costly_parts(path, checkpoint, settings.model.net.as_dict(), plain["data"]["source"], self.typed)

    def after_instantiate_classes(self) -> None:
        """Start from other weights, or check the classes and restore the split of the checkpoint."""
        apply_scoring_options(self.config[self.subcommand], self.model)
        if self.subcommand != "fit":
            self._thresholds.refuse_unknown(
                self.model.make_collector(str(self.subcommand)), self.datamodule.split_names()
            )
        if self.bundle is not None:
            refuse_other_classes(self.bundle.spec.classes, self.datamodule.spec.classes)
        start = self._get(self.config, "init_from")
        if self.checkpoint is None and self.subcommand == "fit" and start:
            print_message(load_initial_weights(start, self.model.net, self.model.spec))
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
            refuse_unfit_filenames(settings["callbacks"] or [], self.model.validated)
            refuse_lost_names(settings["logger"], self.model.validated)
        settings = make_trainer_settings(settings, self.folder, fit, self._make_callbacks(fit))
        if self.measure is not None:
            settings = shorten_trainer(settings) | {"callbacks": [*settings["callbacks"], self.measure]}
        return self.trainer_class(**settings)

    def _make_callbacks(self, fit: bool) -> list[Any]:
        if not fit:
            return [EvaluationReport(self.folder, self._collect_config()), *self._make_calibration()]
        self._stop = make_stop_callback(self.folder)
        seed = int(self._get(self.config, "seed_everything"))
        config = self._collect_config()
        comments = collect_comments(self.typed, config)
        watchers = make_fit_callbacks(self.folder, seed, config, self._stop, comments)
        return [one for one in watchers if self.measure is None or not isinstance(one, AbsentClasses | TrainingReport)]

    def _make_calibration(self) -> list[FitTemperature]:
        """Return what fits a temperature, where the user asked for one."""
        settings = self.config[self.subcommand]
        if settings.calibrate is None:
            return []
        seed = int(self._get(self.config, "seed_everything"))
        return [FitTemperature(Path(settings.ckpt_path), Path(settings.calibrate), seed, print)]

    def _collect_config(self) -> dict[str, Any]:
        """Collect the settings of this run in plain types: what a checkpoint keeps."""
        config = collect_config(self._parser(self.subcommand), self.config[self.subcommand])
        if self._net is not None:
            config["model"]["net"] = self._net
        return config

    def _run_subcommand(self, subcommand: str) -> None:
        """Run the verb; explain what the user can fix, and keep the traceback in the run's folder."""
        try:
            super()._run_subcommand(subcommand)
        except MisconfigurationException:
            raise
        except SegappError as error:
            if self._stop is not None and self._stop.asked and not isinstance(error, StoppedError):
                raise self._stop.explain_stop(error) from error
            raise
        except Exception as error:
            record = self.checkpoint["segapp"]["config"]["model"] if self.checkpoint else None
            parts = record, self._collect_config()["model"]
            failure = self.datamodule.explain_dead_worker(error) or explain_failure(
                error, subcommand, self.config[subcommand], self.folder, parts, self.trainer.world_size
            )
            if failure is None:
                raise
            if self.measure is None and not isinstance(failure, MisuseError):
                keep_traceback(error, self.folder)
            raise failure from error

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        """Name the checkpoint by its absolute path: `best`, `last` and `http…` are words to Lightning."""
        quiet = {} if subcommand == "fit" else {"verbose": False}
        given = super()._prepare_subcommand_kwargs(subcommand) | {"weights_only": True, **quiet}
        if given.get("ckpt_path"):
            given["ckpt_path"] = str(Path(given["ckpt_path"]).absolute())
        return given

    def before_fit(self) -> None:
        """Link the newest run as `latest`."""
        if self.measure is None:
            link_latest(self.folder)

    def before_test(self) -> None:
        """Refuse images without what the asked for unit needs, before any is scored."""
        require_pixel_sizes(self.model.unit, self.datamodule)

    def after_validate(self) -> None:
        """Fail if a score is lower than the user asked for."""
        self._thresholds.check(self.model.evaluation)

    after_test = after_validate

    def after_fit(self) -> None:
        """Print the best validation, its checkpoint, and the next command."""
        if not self.trainer.is_global_zero:
            return
        if self.measure is not None:
            print(format_report(self.measure, self.trainer, self.config["fit"], self.folder))
        else:
            has_test = bool(self.datamodule.split_names()["test"])
            print(format_summary(self.folder, self.datamodule.spec.classes, has_test))
        if self.measure is None and self._stop is not None and self._stop.last.ended_within_epoch:
            print(explain_cut(self.trainer, self._stop.last.command))
