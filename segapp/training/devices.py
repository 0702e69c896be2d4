"""Check the devices and the strategy of a run before anything starts."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.strategies import StrategyRegistry

from segapp.errors import MisuseError, suggest
from segapp.inference.runtime import choose_device


def refuse_what_needs_a_gpu(trainer: Any) -> None:
    """Raise MisuseError for settings that need a GPU.

    They are sharding and synchronised batch norm on a CPU, and an average of sharded weights.
    """
    kind = trainer.accelerator if trainer.accelerator in ("cpu", "mps") else choose_device("auto").type
    strategy = _get_name(trainer.strategy)
    shards = "fsdp" in strategy.lower() or "ModelParallel" in strategy
    if shards and kind != "cuda":
        raise MisuseError(
            f"--trainer.strategy {strategy} shards a network over GPUs, but this run is on the {kind}: use "
            "--trainer.strategy ddp, or a machine with GPUs."
        )
    if shards and any(_get_name(callback).endswith("EMA") for callback in trainer.callbacks or []):
        raise MisuseError(
            f"segapp.callbacks.EMA averages whole weights, but --trainer.strategy {strategy} shards them: leave EMA "
            "out (--trainer.callbacks null), or use --trainer.strategy ddp."
        )
    if trainer.sync_batchnorm and kind != "cuda" and trainer.devices not in (1, "1", "auto"):
        raise MisuseError(
            f"--trainer.sync_batchnorm needs GPUs, but this run is on the {kind}: leave it out, or use norm=group "
            "(--model.net.init_args.encoder.init_args.block.norm group), which needs no synchronising."
        )


def refuse_unknown_strategy(strategy: Any) -> None:
    """Raise MisuseError for a name that Lightning does not know; the parser checks injected objects."""
    known = ["auto", *StrategyRegistry.available_strategies()]
    if isinstance(strategy, str) and strategy not in known:
        raise MisuseError(
            f"there is no --trainer.strategy {strategy}{suggest(strategy, known)}: use auto, ddp (several devices; "
            "ddp_find_unused_parameters_true for a network that leaves parameters unused) or fsdp (a network too large "
            "for one GPU)."
        )


def apply_torchrun(trainer: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return torchrun's numbers of devices and nodes where the user did not set them."""
    if "TORCHELASTIC_RUN_ID" not in environment:
        return {}
    world, local = (int(environment[name]) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    devices = local if trainer["devices"] == "auto" else trainer["devices"]
    return {"devices": devices, "num_nodes": world // local if trainer["num_nodes"] == 1 else trainer["num_nodes"]}


def _get_name(part: Any) -> str:
    """Return a name, or the class path of an injected object."""
    return str(part.get("class_path") if hasattr(part, "get") else part)
