"""Checks that a checkpoint fits the run that continues or scores it: its size, its data, its split, its classes."""

from typing import Any

from segapp.checkpoints.building import build_without_memory
from segapp.checkpoints.checkpoint import select_weights
from segapp.cli.arguments import Arguments
from segapp.cli.run_settings import list_given_roots
from segapp.errors import MisuseError
from segapp.loading.datamodule import SegmentationDataModule
from segapp.loading.source_building import check_root, list_source_arguments
from segapp.training.console import print_message


def refuse_costly_parts(
    path: str, checkpoint: dict[str, Any], net: dict[str, Any], source: dict[str, Any], arguments: Arguments
) -> None:
    """Raise MisuseError where a checkpoint's network grows far beyond its weights, or its data are missing.

    Args:
        path: The checkpoint.
        checkpoint: Its content.
        net: The class_path and init_args of the network that is about to be made.
        source: Those of the data.
        arguments: As typed; a root that the user names is not looked for.
    """
    recorded = checkpoint["segapp"]["net"].get("init_args", {})
    sizes = {name: recorded.get(name) for name in ("in_channels", "num_classes")}
    net = {**net, "init_args": {**net.get("init_args", {}), **sizes}}
    build_without_memory(path, net, arguments.named_classes, select_weights("net.", checkpoint))
    given = list_given_roots(arguments)
    for place, settings in list_source_arguments(source):
        root = settings.get("root")
        if root is not None and str(root) not in given:
            option = f"--{place}.root" if "[" not in place else "--data and a data section, in its `sources`"
            check_root(path, root, f"name the folder with {option}")


def restore_splits(data: SegmentationDataModule, settings: dict[str, Any], record: dict[str, Any], new: bool) -> None:
    """Restore the split of a checkpoint, also where the images were moved, so that no training image is scored.

    Args:
        data: The images of this run.
        settings: The data section of this run's config.
        record: The checkpoint's `segapp` entry.
        new: Whether the user asked for a new split (`--new_split`).
    """
    count = len({name for names in record["splits"].values() for name in names})
    if new or not count:
        why = "as --new_split asks" if new else "since the checkpoint records none"
        print_message(f"the images are divided by the `split` of the data section, {why}.")
        data.keep_split()
        return
    was, now = _get_source(record), settings["source"]
    if was is None:  # of a Trainer in Python, whose arguments are not all known
        data.restore_splits(record["splits"])
        return
    old, own = ([one.get("split") for _, one in list_source_arguments(source)] for source in (was, now))
    if was["class_path"] == now["class_path"] and old != own:
        raise MisuseError(
            f"the checkpoint records the split of its {count} images, but the data section has another `split`. Remove "
            "it, or use it with --new_split; images of the training may then be scored."
        )
    data.restore_splits(record["splits"])


def _get_source(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return the source of a checkpoint's settings, if it is one."""
    settings = record["config"].get("data") if isinstance(record["config"], dict) else None
    source = settings.get("source") if isinstance(settings, dict) else None
    if not isinstance(source, dict) or "class_path" not in source:
        return None
    return source if isinstance(source.get("init_args") or {}, dict) else None


def refuse_other_classes(there: tuple[str, ...], here: tuple[str, ...], verb: str = "test") -> None:
    """Raise MisuseError unless the data have the checkpoint's classes."""
    if here != there:
        other = "; for other classes start a new run from its weights: --init_from instead of --ckpt_path"
        raise MisuseError(
            f"the checkpoint's network has the {len(there)} classes {', '.join(there)}, but the data has {len(here)}: "
            f"{', '.join(here)}. Use data with the same classes in the same order{other if verb == 'fit' else ''}."
        )
