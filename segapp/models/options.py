"""Values that settings of a network may take, and checks with one message."""

from typing import Any, Literal, TypeVar, get_args

from segapp.errors import MisuseError

LongSkipMode = Literal["none", "add", "concat"]
ShortSkipMode = Literal["none", "add", "concat"]
UpsampleMode = Literal["transpose", "bilinear", "nearest"]
NormKind = Literal["batch", "group", "instance", "none"]
ActivationKind = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"]
LayerOrder = Literal["pre", "post"]

T = TypeVar("T")


def require_choice(setting: str, value: T, words: Any) -> T:
    """Return `value` when it is one of `words` (a Literal); raise MisuseError otherwise."""
    if value not in get_args(words):
        raise MisuseError(f"{setting} takes {' | '.join(get_args(words))}, got {value!r}.")
    return value


def require_at_least(setting: str, value: int, at_least: int = 1) -> int:
    """Return `value` when it is large enough; raise MisuseError otherwise."""
    if value < at_least:
        raise MisuseError(f"{setting} must be whole numbers, {at_least} or more, got {value}.")
    return value


def expand_levels(setting: str, value: Any, levels: int) -> list[Any]:
    """Expand one value or a list to one value per level, finest first; raise MisuseError for another length."""
    values = list(value) if isinstance(value, list | tuple) else [value] * levels
    if len(values) != levels:
        raise MisuseError(
            f"{setting} needs one value, or one for each of the {levels} levels (finest first), got {len(values)}."
        )
    return values
