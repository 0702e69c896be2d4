"""Settings that a checkpoint from elsewhere could hold: each would run, import, read or write something."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.cli.tiny import TINY

MARK = "ran"
"""The file that a gadget would make in the current folder."""

TOUCH = {"entrypoint": "touch", "args": [MARK], "env": {}, "stdout": None, "stderr": None, "local_rank_id": 0}
HERE = {"dirpath": MARK, "save_dir": MARK, "log_dir": MARK, "folder": MARK, "root": MARK}

GADGETS: dict[str, dict[str, Any]] = {
    # starts a process, or runs a text
    "torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler": TOUCH,
    "torch.utils.benchmark.Timer": {"stmt": "pass", "setup": f"open({MARK!r}, 'w')"},
    "torch.utils.cpp_extension.load_inline": {"name": "x", "cpp_sources": "", "build_directory": MARK},
    "torch.utils.cpp_extension.load": {"name": "x", "sources": [], "build_directory": MARK},
    "torch.multiprocessing.spawn": {"fn": "evil.run"},
    "torch.distributed.launcher.api.elastic_launch": {"config": {}, "entrypoint": "touch"},
    "lightning.fabric.strategies.launchers.subprocess_script._SubprocessScriptLauncher": {},
    "lightning.pytorch.strategies.launchers._SubprocessScriptLauncher": {},
    "lightning.pytorch.strategies.DeepSpeedStrategy": {"config": MARK},
    "os.system": {"command": f"touch {MARK}"},
    "torch.os.system": {"command": f"touch {MARK}"},
    "subprocess.Popen": {"args": ["touch", MARK]},
    "builtins.exec": {"source": f"open({MARK!r}, 'w')"},
    "timeit.timeit": {"stmt": f"open({MARK!r}, 'w')"},
    "pickle.loads": {"data": "x"},
    # loads code or weights
    "torch.hub.load": {"repo_or_dir": ".", "model": "x", "source": "local"},
    "torch.hub.load_state_dict_from_url": {"url": "file:///etc/passwd"},
    "torch.utils.model_zoo.load_url": {"url": "file:///etc/passwd"},
    "torch.load": {"f": "x", "weights_only": False},
    "torch.jit.load": {"f": "x"},
    "torch.package.PackageImporter": {"file_or_buffer": "x"},
    "torch.export.load": {"f": "x"},
    "segmentation_models_pytorch.from_pretrained": {"pretrained_model_name_or_path": "evil/net"},
    "segmentation_models_pytorch.Unet.from_pretrained": {"pretrained_model_name_or_path": "evil/net"},
    "segmentation_models_pytorch.create_model": {"arch": "Unet"},
    "segmentation_models_pytorch.Unet": {"encoder_weights": "imagenet"},
    "timm.create_model": {"model_name": "hf-hub:evil/net"},
    "huggingface_hub.hf_hub_download": {"repo_id": "evil/net", "filename": "x"},
    "albumentations.load": {"filepath_or_buffer": "/etc/passwd"},
    "albumentations.from_dict": {"transform_dict": {}},
    "albumentations.FDA": {"reference_images": ["/etc/passwd"], "read_fn": "evil.run"},
    "albumentations.HistogramMatching": {"reference_images": ["secret"]},
    "albumentations.Lambda": {"image": "evil.run"},
    # calls a function by its name
    "torch.nn.TripletMarginWithDistanceLoss": {"distance_function": "evil.run"},
    "torch.nn.TransformerEncoderLayer": {"d_model": 8, "nhead": 1, "activation": "evil.run"},
    "torch.optim.lr_scheduler.LambdaLR": {"lr_lambda": "evil.run"},
    "torch.optim.lr_scheduler.MultiplicativeLR": {"lr_lambda": "evil.run"},
    "torch.optim.swa_utils.AveragedModel": {"avg_fn": "evil.run"},
    "lightning.pytorch.callbacks.LambdaCallback": {"setup": "evil.run"},
    "lightning.pytorch.callbacks.ModelPruning": {"pruning_fn": "evil.run"},
    "lightning.pytorch.callbacks.BackboneFinetuning": {"lambda_func": "evil.run"},
    "lightning.pytorch.callbacks.StochasticWeightAveraging": {"swa_lrs": 0.1, "avg_fn": "evil.run"},
    "lightning.pytorch.cli.instantiate_module": {"module_class": "evil.Evil", "config": {}},
    "lightning.pytorch.cli.LightningCLI": {"model_class": "evil.Evil"},
    "functools.partial": {"func": "evil.run"},
    "jsonargparse.set_parsing_settings": {"import_path_allowlist": ["os"]},
    # writes, or calls home
    "torch.utils.tensorboard.SummaryWriter": HERE,
    "torch.distributed.FileStore": {"file_name": MARK},
    "torch.distributed.TCPStore": {"host_name": "127.0.0.1", "port": 9},
    "lightning.pytorch.callbacks.OnExceptionCheckpoint": HERE,
    "lightning.pytorch.callbacks.BasePredictionWriter": {},
    "lightning.pytorch.loggers.WandbLogger": HERE,
    "lightning.pytorch.loggers.MLFlowLogger": {"tracking_uri": "http://127.0.0.1:9"},
    "lightning.pytorch.profilers.PyTorchProfiler": HERE,
    "lightning.pytorch.Trainer": {"default_root_dir": MARK},
    "lightning.fabric.loggers.CSVLogger": {"root_dir": MARK},
    "segapp.callbacks.RunRecord": {"folder": MARK, "config": {}},
    "segapp.callbacks.LastCheckpoint": {"folder": MARK},
    "segapp.cli.main": {"arguments": ["--version"]},
    "segapp.io.write_images.open_mask": {"path": MARK},
    "segapp.training.module.SegmentationModule.load_from_checkpoint": {"checkpoint_path": MARK},
    "evil.Evil": {},
    "segapp.models.evil.Evil": {},
}
"""Classes and functions by the settings with which they would do it."""

TEXTS = (
    "evil.run",
    "evil.Evil",
    "/etc/passwd",
    "../ran",
    "~/ran",
    "evil.yaml",
    "http://127.0.0.1:9/x",
    "{class_path: evil.Evil}",
    '{"class\\u005fpath": "evil.Evil"}',
    "!!python/object/apply:os.system [touch ran]",
)
"""Text that is imported, opened or parsed somewhere, if it is let through."""

SLOTS = (
    ("model", "net"),
    ("model", "loss"),
    ("model", "optimizer"),
    ("model", "lr_scheduler"),
    ("data", "source"),
    ("data", "augment", 0),
    ("trainer", "callbacks", 0),
    ("trainer", "logger"),
    ("trainer", "profiler"),
    ("trainer", "deterministic"),
    ("trainer", "max_epochs"),
    ("model", "net", "init_args", "encoder"),
    ("model", "net", "init_args", "encoder", "init_args", "block", "norm"),
    ("model", "loss", "init_args", "class_weights"),
    ("data", "source", "init_args", "size"),
    ("trainer", "callbacks", 0, "init_args", "decay"),
)


HONEST: dict[str, Any] = yaml.safe_load(TINY.read_text(encoding="utf-8"))


def config() -> dict[str, Any]:
    """Return the settings of an honest run."""
    return deepcopy(HONEST)


def planted(value: Any, place: tuple[str | int, ...]) -> dict[str, Any]:
    """Return the settings of a run with a value planted in a place, made where it is not there."""
    made = config()
    inside: Any = made
    for key in place[:-1]:
        inside = inside[key] if isinstance(key, int) else inside.setdefault(key, {})
    inside[place[-1]] = value
    return made


def checkpoint(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what is looked at of a checkpoint before its weights."""
    return {"segapp": {"config": settings}, "loops": {}, "optimizer_states": []}


def values() -> st.SearchStrategy[Any]:
    """Return settings of every shape, gadgets and texts among them."""
    names = [*GADGETS, "torch.nn.CrossEntropyLoss", "segapp.models.UNet", "albumentations.Compose"]
    numbers = st.one_of(st.integers(-3, 2**40), st.floats(), st.booleans(), st.none())
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)  # the same by its codec takes 3 s to list
    leaves = st.one_of(st.sampled_from(TEXTS), numbers, text)
    keys = ["size_average", "encoder", "loss", "transforms", "image", "root", "activation"]

    def inside(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        made = st.builds(
            lambda name, key, value: {"class_path": name, "init_args": {**GADGETS.get(name, {}), key: value}},
            st.sampled_from(names),
            st.sampled_from(keys),
            inner,
        )
        sections = st.sampled_from(["a", "init_args", "class_path", "setup", "loss", "transforms"])
        return st.one_of(st.lists(inner, max_size=2), st.dictionaries(sections, inner, max_size=2), made)

    return st.recursive(leaves, inside, max_leaves=6)


FORBIDDEN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "socket.connect",
    "urllib.Request",
    "os.remove",
)
"""Events of Python's audit that no reading of settings has a reason for."""

_seen: list[str] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and event in FORBIDDEN:
        _seen.append(f"{event} {arguments}"[:300])


sys.addaudithook(_note)  # Python has no way to take one back: it looks only while `watched`


@contextmanager
def watched() -> Iterator[list[str]]:
    """Give the processes that are started, addresses that are called and files that are removed inside."""
    global _seen
    _seen = found = list[str]()
    try:
        yield found
    finally:
        _seen = None
