"""Builds the parts that a file describes: checks their settings, imports their classes, makes the objects."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jsonargparse
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from segapp.checkpoints.bounds import check_plain, limited_network
from segapp.checkpoints.effort import MOST_MEMORY, limited_effort
from segapp.checkpoints.roles import IMPORTABLE_MODULES, NETWORK, Role, find_class, is_below
from segapp.checkpoints.trust import (
    Review,
    check_class_paths,
    find_classes,
    is_named_by_user,
    limited_imports,
    resolve_parameters,
)
from segapp.errors import MisuseError
from segapp.system.user_modules import search_current_folder

Part = TypeVar("Part")

NO_DOWNLOADS = {"pretrained": False, "encoder_weights": None}
"""Arguments that make a network download weights, each with the value that prevents it."""

FILE_ARGUMENTS = ("checkpoint_path", "cache_dir", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_cfg_file")
"""Arguments of timm that make a network read other files; the checkpoint brings the weights instead."""

REMOTE = re.compile(rf"(hf[-_]hub|local[-_]dir|https?|file):|{'|'.join([*NO_DOWNLOADS, *FILE_ARGUMENTS])}", re.I)
"""Text that makes a network load from a hub or another folder, or that is parsed into such settings."""


def build_filled_network(
    path: str | Path, config: dict[str, Any], weights: dict[str, Tensor], allowed: Sequence[str] = ()
) -> nn.Module:
    """Return the network of a class_path and init_args with its weights, in evaluation mode; errors name `path`.

    Names and shapes are compared before anything is allocated.
    """
    plan = build_without_memory(path, config, allowed, weights)
    if plan is not None:
        _require_same_shapes(path, plan, weights)
    net = build_network(path, config, allowed)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise _make_misfit_error(path, str(error)) from error
    return net.eval()


def build_without_memory(
    path: str | Path, config: dict[str, Any], allowed: Sequence[str], weights: dict[str, Tensor]
) -> nn.Module | None:
    """Return the network on torch's `meta` device, or None for a user-defined one that cannot be built there.

    Raises MisuseError when it grows far beyond its weights.
    """
    size = sum(value.numel() * value.element_size() for value in weights.values())
    try:
        with torch.device("meta"), _Unfilled(), limited_network(len(weights), size):
            return build_network(path, config, allowed)
    except MisuseError:
        if isinstance(config, dict) and is_named_by_user(str(config.get("class_path")), allowed):
            return None
        raise


def build_network(path: str | Path, config: dict[str, Any], allowed: Sequence[str]) -> nn.Module:
    """Return the network of a class_path and init_args, with fresh weights and nothing fetched; errors name `path`."""
    with limited_network():
        return build_part(path, nn.Module, NETWORK, config, allowed, make_offline)


def build_part(
    path: str | Path,
    kind: type[Part],
    role: Role,
    config: Any,
    allowed: Sequence[str],
    prepare: Callable[[Any, Sequence[str]], Any] = lambda config, allowed: config,
) -> Part:
    """Return the object of a class_path and init_args, checked as a whole before a class of it is imported.

    Args:
        path: What errors name.
        kind: The class of the object.
        role: The classes that are allowed.
        config: class_path and init_args.
        allowed: Classes or packages that the user named.
        prepare: May change settings whose names were checked.
    """
    review = Review(allowed)
    with _name_the_file(path, role.name, config):
        check_plain(config)
        check_class_paths(config, allowed)
        config = review.check_part(prepare(config, allowed), [role], role.name)
        memory = MOST_MEMORY if torch.get_default_device().type == "meta" else None
        with limited_imports([*review.classes, *allowed]), limited_effort(memory):
            return _instantiate(kind, config)


def build_user_part(path: str | Path, kind: type[Part], what: str, config: Any) -> Part:
    """Return the object of a class_path and init_args that the user wrote, and so vouches for; errors name `path`."""
    search_current_folder(find_classes(config))
    with _name_the_file(path, what, config):
        return _instantiate(kind, config)


def _instantiate(kind: type[Part], config: Any) -> Part:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    # By `add_subclass_arguments` a word would be taken for the name of a file in the current folder.
    parser.add_argument("--part", type=kind, required=True, sub_configs=False)
    part: Part = parser.instantiate(parser.parse_object({"part": config})).part
    return part


@contextmanager
def _name_the_file(path: str | Path, what: str, config: Any) -> Iterator[None]:
    """Turn any error of a constructor into one message that names the file: its settings are data."""
    try:
        yield
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from error
    except Exception as error:
        name = f" {config['class_path']}" if isinstance(config, dict) and "class_path" in config else ""
        raise MisuseError(f"{path}: its {what}{name} cannot be built ({shorten_error(error)}).") from error


def make_offline(config: Any, allowed: Sequence[str], own: bool = False) -> Any:
    """Return the same settings without downloads and files to read: the checkpoint brings the weights.

    `own`: the settings are those of a class that the user named, whose words may mean anything.
    """
    if isinstance(config, list):
        return [make_offline(value, allowed, own) for value in config]
    if isinstance(config, str) and not own and REMOTE.search(config):
        raise MisuseError(f"it names {config[:80]!r}, which would be looked up elsewhere; it was refused.")
    if not isinstance(config, dict):
        return config
    if "class_path" not in config:
        inside = {key: value for key, value in config.items() if own or key not in FILE_ARGUMENTS}
        return {key: NO_DOWNLOADS.get(key, make_offline(value, allowed, own)) for key, value in inside.items()}
    accepted = resolve_parameters(find_class(config["class_path"]))
    is_known = is_below(config["class_path"], IMPORTABLE_MODULES)  # a user's config names these too
    own = is_named_by_user(config["class_path"], allowed) and not is_known
    settings = make_offline(config.get("init_args") or {}, allowed, own)
    if not isinstance(settings, dict):
        raise MisuseError(f"the init_args of {config['class_path']} are no settings but {str(settings)[:80]}.")
    settings |= {key: value for key, value in NO_DOWNLOADS.items() if key in accepted}
    return {"class_path": config["class_path"], "init_args": settings}


def shorten_error(error: BaseException) -> str:
    """Return an error in one line: our own if one is behind it, else without jsonargparse's list of types."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, MisuseError):
        behind = behind.__cause__ or behind.__context__
    text = " ".join(str(behind or error).split())
    text = re.sub(r"^Parser key \"part\": .*?Problem with given class_path '[^']*': ", "", text)
    text = text.partition(" - Expected a <class 'NoneType'>")[0]
    return text.partition(". This is an internal")[0][:300].rstrip(".") or type(error).__name__


class _Unfilled(TorchFunctionMode):
    """Skips the initialisation of weights without memory: torch would import its compiler for it, for seconds."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(function, "__name__", "")
        if name.endswith("normal_") or name.endswith("uniform_"):
            tensor = args[0] if args else (kwargs or {}).get("tensor")
            if isinstance(tensor, Tensor) and tensor.is_meta:
                return tensor
        return function(*args, **(kwargs or {}))


def _require_same_shapes(path: str | Path, net: nn.Module, weights: dict[str, Tensor]) -> None:
    """Raise MisuseError unless a network's names and shapes are those of its weights."""
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in weights.items()}
    for name in dict.fromkeys([*wanted, *given]):
        if wanted.get(name) != given.get(name):
            there, here = given.get(name, "nothing"), wanted.get(name, "nothing")
            raise _make_misfit_error(path, f"\n{name}: {there} in the file, {here} in the network")


def _make_misfit_error(path: str | Path, message: str) -> MisuseError:
    first = message.splitlines()[1:2] or [message]
    return MisuseError(
        f"{path}: its weights do not fit the network it describes ({first[0].strip().rstrip('.')}); "
        "it was written by another version of this network."
    )
