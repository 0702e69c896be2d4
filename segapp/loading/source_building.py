"""Build the data set that a config or a checkpoint describes."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segapp.checkpoints.building import build_part, build_user_part
from segapp.checkpoints.roles import SOURCE
from segapp.datasets.joined import Joined
from segapp.datasets.source import Source
from segapp.errors import MisuseError
from segapp.loading.messages import report


def build_source(where: str | Path, data: Mapping[str, Any], allowed: Sequence[str] | None = None) -> Source:
    """Return the data set that a config's data section describes; `where` is for the errors.

    `allowed` are the classes or packages outside segapp that it may use; by default all that it names, for a config
    of the user. A section from an untrusted file must not choose which code runs, nor where is written: pass what the
    user named. Its root must exist, and is logged where it lies outside the current folder.
    """
    source = data.get("source") or {}
    if allowed is None:
        return build_user_part(where, Source, SOURCE.name, source)  # type: ignore[type-abstract]
    made = build_part(where, Source, SOURCE, source, allowed)  # type: ignore[type-abstract]
    for one in made.sources if isinstance(made, Joined) else [made]:
        root = getattr(one, "root", None)  # a default too: a data set without one would be generated
        check_root(where, None if root is None else str(root), "work where it was trained")
    return made


def list_source_arguments(source: Any) -> list[tuple[str, Any]]:
    """Return the settings of a data set, or of each that it joins, and where they are, as `data.source.init_args`.

    Args:
        source: Its class_path and init_args, of a file or as parsed.
    """
    arguments, place = source.get("init_args") or {}, "data.source.init_args"
    joined = arguments.get("sources")
    if not isinstance(joined, list) or not all(_is_part(one) for one in joined):
        return [(place, arguments)]
    return [(f"{place}.sources[{number}].init_args", one.get("init_args") or {}) for number, one in enumerate(joined)]


def _is_part(value: Any) -> bool:
    """Return whether a value of a config, as read or as parsed, describes an object."""
    kinds = dict | Namespace
    return isinstance(value, kinds) and "class_path" in value and isinstance(value.get("init_args") or {}, kinds)


def check_root(where: str | Path, root: Any, remedy: str) -> None:
    """Raise MisuseError unless the root that a file names is a folder with content; log one outside the current folder.

    Nothing is written there, as generated data would be: only the user may request that.
    """
    if not isinstance(root, str):
        return
    folder = Path(root).expanduser()
    if not folder.is_dir() or not any(folder.iterdir()):
        relative = (
            "" if folder.is_absolute() else f", a path relative to the folder that segapp works in ({Path.cwd()})"
        )
        raise MisuseError(f"{where}: its data folder {root} does not exist or is empty{relative}: {remedy}.")
    if not folder.resolve().is_relative_to(Path.cwd().resolve()):
        report(f"data: {folder.resolve()}, outside the current folder, as {where} names it.")
