"""A checkpoint becomes a network again: safely, offline, and complete."""

import json
import pickle
import re
import warnings
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import jsonargparse
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from segapp.errors import MisuseError
from segapp.inference.trust import check_class_paths, limited_imports, named_by_person, named_network
from segapp.spec import Spec

Part = TypeVar("Part")

VERSION = 1
SECTIONS = ("spec", "net", "config", "splits", "scores")
NOTHING_TO_FETCH = {"pretrained": False, "encoder_weights": None}
"""Arguments that make a network download weights, and the values at which it does not."""

ELSEWHERE = ("checkpoint_path", "cache_dir", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_cfg_file")
"""Arguments of timm that make a network read other files: training may have had them, the checkpoint brings weights."""

SCHEMES = re.compile(rf"(hf[-_]hub|local[-_]dir|https?|file):|{'|'.join([*NOTHING_TO_FETCH, *ELSEWHERE])}", re.I)
"""Text that would have a network looked up on a hub or in another folder, or be parsed into settings that do."""


def load_checkpoint(path: str | Path, allowed: Sequence[str] = ()) -> tuple[Spec, nn.Module, dict[str, Any]]:
    """The spec, the network in evaluation mode on the CPU, and the checkpoint's own record.

    Nothing is unpickled but plain data, nothing is downloaded, and only the package's own parts and those under
    `allowed` (what the person named: classes or packages) are imported. Raises MisuseError with one sentence.
    """
    checkpoint = read_checkpoint(path)
    record = checkpoint["segapp"]
    return Spec.from_dict(record["spec"]), network_of(path, checkpoint, allowed), record


def network_of(path: str | Path, checkpoint: dict[str, Any], allowed: Sequence[str] = ()) -> nn.Module:
    """As `load_checkpoint`, the network alone, of a checkpoint that has been read."""
    if not checkpoint["segapp"]["net"]:
        raise MisuseError(
            f"{path}: does not say how its network is made. It was saved by a Trainer in Python, with a network that "
            "does not record its arguments: make that by segapp.init_args.construct(Class, ...), and train again."
        )
    return _with_weights(path, checkpoint["segapp"]["net"], weights_under("net.", checkpoint), allowed)


def weights_under(prefix: str, checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """The part of a checkpoint's weights whose names begin so, by the rest of their names."""
    weights = checkpoint["state_dict"].items()
    return {name.removeprefix(prefix): value for name, value in weights if name.startswith(prefix)}


def load_weights(path: Path, allowed: Sequence[str] = ()) -> nn.Module:
    """The network of a bundle of format `weights`, in evaluation mode on the CPU.

    `path` is its `.safetensors`; the class_path and init_args lie beside it in a `.json`. As safe as
    `load_checkpoint`; raises MisuseError with one sentence.
    """
    try:
        net = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        weights = load_file(path)
    except Exception as error:  # a cut or altered file fails in whatever part meets it first
        files = f"{path} with {path.stem}.json"
        raise MisuseError(f"{files}: cannot be loaded, or is damaged ({_brief(error)}).") from error
    if not isinstance(net, dict):
        raise MisuseError(f"{path.with_suffix('.json')}: damaged, it describes no network.")
    return _with_weights(path, net, weights, allowed)


def _with_weights(
    path: str | Path, config: dict[str, Any], weights: dict[str, Tensor], allowed: Sequence[str] = ()
) -> nn.Module:
    """The network of a class_path and init_args with its weights, in evaluation mode; `path` is what errors name."""
    net = build_network(path, config, allowed)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise MisuseError(
            f"{path}: its weights do not fit the network it describes ({first[0].strip().rstrip('.')}); "
            "it was written by another version of this network."
        ) from error
    return net.eval()


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The checkpoint's content on the CPU, plain types and tensors only; `segapp` holds the sections of `SECTIONS`.

    Raises MisuseError for a URL, a missing file, one that is no checkpoint, holds code, or is not segapp's.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", str(path)):
        raise MisuseError(f"{path}: checkpoints are read from this machine only; download it first.")
    file = Path(path)
    if not file.is_file():
        raise MisuseError(_missing(file))
    try:
        with warnings.catch_warnings(action="ignore"):  # about foreign files, which are refused anyway
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise MisuseError(_refused(file, str(error))) from error
    except PermissionError as error:
        raise MisuseError(f"{file}: may not be read ({error.strerror}).") from error
    except Exception as error:  # a cut or altered file fails in whatever part of torch meets it first
        raise MisuseError(_damaged(file)) from error
    return _checked(file, checkpoint)


def _checked(file: Path, checkpoint: Any) -> dict[str, Any]:
    record = checkpoint.get("segapp") if isinstance(checkpoint, dict) else None
    if record is None:
        raise MisuseError(
            f"{file}: not written by segapp (it lacks the 'segapp' entry that says what the network is); "
            "give a checkpoint of `segapp fit`, as runs/<name>/<time>/checkpoints/best.ckpt."
        )
    version = record.get("version") if isinstance(record, dict) else None
    if version != VERSION:
        raise MisuseError(
            f"{file}: a checkpoint of version {version!r}; this segapp reads version {VERSION}: "
            "install the segapp that wrote it."
        )
    sections = [*(record.get(name) for name in SECTIONS), checkpoint.get("state_dict")]
    if not all(isinstance(section, dict) for section in sections):
        raise MisuseError(f"{file}: a damaged checkpoint, one of {', '.join(SECTIONS)}, state_dict is missing.")
    return checkpoint


def build_network(path: str | Path, config: dict[str, Any], allowed: Sequence[str]) -> nn.Module:
    """The network of a class_path and init_args, with fresh weights and nothing fetched; `path` is for the errors."""
    return build_part(path, nn.Module, "network", config, allowed, offline)


def build_part(
    path: str | Path,
    kind: type[Part],
    what: str,
    config: dict[str, Any],
    allowed: Sequence[str],
    prepare: Callable[[Any, Sequence[str]], Any] = lambda config, allowed: config,
) -> Part:
    """The object of a class_path and init_args, of class `kind`, whose classes were checked before any is imported.

    `path` and `what` are for the errors; `prepare` may change the checked settings. Raises MisuseError.
    """
    try:
        check_class_paths(config, allowed)
        config = prepare(config, allowed)
        parser = jsonargparse.ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(kind, "part", required=True)
        with limited_imports(allowed):
            part: Part = parser.instantiate(parser.parse_object({"part": config})).part
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from error
    except Exception as error:  # the settings are data: whatever a constructor makes of them is the file's fault
        name = f" {config['class_path']}" if isinstance(config, dict) and "class_path" in config else ""
        raise MisuseError(f"{path}: its {what}{name} cannot be built ({_brief(error)}).") from error
    return part


def offline(config: Any, allowed: Sequence[str], own: bool = False) -> Any:
    """The same settings, fetching and reading nothing: the checkpoint brings the weights. Every class is a network.

    `own` are the settings of a class that the person named: its words may mean anything.
    """
    if isinstance(config, list):
        return [offline(value, allowed, own) for value in config]
    if isinstance(config, str) and not own and SCHEMES.search(config):
        raise MisuseError(f"it names {config[:80]!r}, which would be looked up elsewhere; it was refused.")
    if not isinstance(config, dict):
        return config
    if "class_path" not in config:
        inside = {key: value for key, value in config.items() if own or key not in ELSEWHERE}
        return {key: NOTHING_TO_FETCH.get(key, offline(value, allowed, own)) for key, value in inside.items()}
    accepted = named_network(config["class_path"], allowed)
    own = named_by_person(config["class_path"], allowed)
    settings = offline(config.get("init_args") or {}, allowed, own)
    settings |= {key: value for key, value in NOTHING_TO_FETCH.items() if key in accepted}
    return {"class_path": config["class_path"], "init_args": settings}


def _missing(file: Path) -> str:
    if file.is_dir():
        inside = sorted(file.rglob("*.ckpt"), key=lambda path: (path.name != "best.ckpt", path))
        return f"{file} is a folder; name a checkpoint{f', as {inside[0]}' if inside else ''}."
    if not file.parent.is_dir():
        return f"there is no checkpoint {file}: its folder does not exist either."
    names = [path.name for path in file.parent.iterdir()]
    near = get_close_matches(file.name, names) or sorted(name for name in names if name.endswith(".ckpt"))[:3]
    beside = f"; beside it: {', '.join(near)}" if near else ""
    return f"there is no checkpoint {file}{beside}."


def _refused(file: Path, message: str) -> str:
    code = re.search(r"GLOBAL (\S+)|global `?([\w.]+)", message)
    if code is None:
        return _damaged(file)
    return (
        f"{file}: holds code ({next(filter(None, code.groups()))}) instead of plain data, which would run when "
        "loaded; it was refused. Checkpoints of `segapp fit` hold none."
    )


def _damaged(file: Path) -> str:
    return (
        f"{file}: no checkpoint, or a damaged or incomplete one ({file.stat().st_size:,} bytes): "
        "copy it again from where it is whole, or give another checkpoint."
    )


def _brief(error: Exception) -> str:
    """An error in one line: without jsonargparse's list of types and torch's advice to its developers."""
    text = " ".join(str(error).split())
    text = re.sub(r"^Parser key \"part\": .*?Problem with given class_path '[^']*': ", "", text)
    text = text.partition(" - Expected a <class 'NoneType'>")[0]
    return text.partition(". This is an internal")[0][:300].rstrip(".") or type(error).__name__
