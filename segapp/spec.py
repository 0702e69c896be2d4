"""What a model needs to know about data, in plain types: kept in every checkpoint and bundle."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from segapp.errors import MisuseError

SPEC_VERSION = 1
LARGEST_WINDOW = 8192
"""A network sees one window at a time, whole, and smaller images padded to it: beyond this no memory suffices."""

LISTS = ("symmetries", "scales", "min_object", "min_hole")

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

Symmetry = Literal["horizontal", "vertical", "rotations"]
"""Flips left to right, flips top to bottom, turns by 90 degrees."""

Average = Literal["probabilities", "logits"]

Blend = Literal["gaussian", "cosine", "none"]

IntensityKind = Literal["stored", "range", "percentile", "zscore"]


@dataclass(frozen=True)
class Intensity:
    """How stored values become the network's range [0, 1]: an affine map per channel, then a clip.

    * `stored`: uint8 files are delivered as uint8, untouched; `low` and `high` are not used.
    * `range`: `low` → 0 and `high` → 1, in stored units (a CT window is one of these).
    * `percentile`: the image's own `low`-th and `high`-th percentile per channel (in percent) → 0 and 1.
    * `zscore`: the image's own mean - 4 standard deviations → 0, mean + 4 → 1, per channel.
    """

    kind: IntensityKind = "stored"
    low: float = 0.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(IntensityKind):
            raise MisuseError(f"intensity takes {' | '.join(get_args(IntensityKind))}, got {self.kind!r}.")
        if self.kind in ("range", "percentile") and not self.low < self.high:
            raise MisuseError(f"intensity {self.kind} needs low < high, got low={self.low} and high={self.high}.")
        if self.kind == "percentile" and not (self.low >= 0 and self.high <= 100):
            raise MisuseError(f"intensity percentile takes 0 … 100, got low={self.low} and high={self.high}.")

    @property
    def dtype(self) -> Literal["uint8", "float32"]:
        """The dtype that images are delivered in under this policy."""
        return "uint8" if self.kind == "stored" else "float32"


@dataclass(frozen=True)
class Spec:
    """The contract between a trained network and any image it will ever see."""

    classes: tuple[str, ...]
    """Class names, in the order of the logits' channels."""
    background: int | None
    """The class left out of macro means, if any."""
    palette: tuple[tuple[int, int, int], ...]
    """RGB 0 … 255, one colour per class."""
    channels: int
    """Image channels: 1 … 16."""
    intensity: Intensity = Intensity()
    resize: tuple[int, int] | None = None
    """Height, width every image is resized to before the network; logits are resized back."""
    window: tuple[int, int] = (512, 512)
    """Height, width of every runtime call."""
    overlap: float = 0.25
    """Share of a window that its neighbour also sees, 0 ≤ overlap < 1."""
    blend: Blend = "gaussian"
    """How overlapping windows' logits are weighted."""
    precision: Precision = "32-true"
    symmetries: tuple[Symmetry, ...] = ()
    """Test-time augmentation: every window is also seen flipped and turned, in all combinations of these."""
    scales: tuple[float, ...] = (1.0,)
    """Test-time augmentation: the sizes, relative to its own, at which every window is seen."""
    average: Average = "probabilities"
    """What is averaged over such views, and over the networks of an ensemble."""
    min_object: tuple[int, ...] = ()
    """Pixels per class (or empty): smaller connected objects go to the class that surrounds them most."""
    min_hole: tuple[int, ...] = ()
    """Pixels per class (or empty): smaller holes enclosed by the class are filled with it."""
    version: int = SPEC_VERSION

    def __post_init__(self) -> None:
        if not 2 <= len(self.classes) <= 255:
            raise MisuseError(f"segapp works with 2 to 255 classes, got {len(self.classes)}.")
        if len(self.palette) != len(self.classes):
            raise MisuseError(
                f"the palette has {len(self.palette)} colours for {len(self.classes)} classes; give one each."
            )
        if "mean" in self.classes:
            raise MisuseError("a class cannot be called mean: that is what every table calls the mean over classes.")
        if self.background is not None and not 0 <= self.background < len(self.classes):
            raise MisuseError(f"background={self.background} is not one of 0 … {len(self.classes) - 1}.")
        if not 1 <= self.channels <= 16:
            raise MisuseError(f"segapp works with 1 to 16 image channels, got {self.channels}.")
        if not 0 <= self.overlap < 1:
            raise MisuseError(f"overlap is a share in [0, 1), got {self.overlap}.")
        if not 1 <= min(self.window) <= max(self.window) <= LARGEST_WINDOW:
            raise MisuseError(f"window needs a height and width of 1 … {LARGEST_WINDOW}, got {self.window}.")
        if self.resize is not None and not 1 <= min(self.resize) <= max(self.resize) <= LARGEST_WINDOW:
            raise MisuseError(f"resize needs a height and width of 1 … {LARGEST_WINDOW}, got {self.resize}.")
        self._check_choices()

    def _check_choices(self) -> None:
        """What improves predictions: symmetries, scales, smallest objects and holes."""
        strangers = set(self.symmetries) - set(get_args(Symmetry))
        if strangers:
            raise MisuseError(f"symmetries are {' | '.join(get_args(Symmetry))}, got {', '.join(sorted(strangers))}.")
        for name, choices in (("average", Average), ("blend", Blend), ("precision", Precision)):
            if getattr(self, name) not in get_args(choices):
                raise MisuseError(f"{name} takes {' | '.join(get_args(choices))}, got {getattr(self, name)!r}.")
        if not self.scales or not all(0.25 <= scale <= 4 for scale in self.scales):
            raise MisuseError(f"scales takes one or more factors of 0.25 … 4, got {list(self.scales)}.")
        for name, sizes in (("min_object", self.min_object), ("min_hole", self.min_hole)):
            if sizes and (len(sizes) != len(self.classes) or min(sizes) < 0):
                raise MisuseError(f"{name} takes a number of pixels per class, 0 or more, got {list(sizes)}.")

    @property
    def num_classes(self) -> int:
        """K, the number of logits' channels."""
        return len(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only: what a checkpoint (weights_only) and JSON can hold."""
        spec = asdict(self)
        for key in ("classes", "window", *LISTS):
            spec[key] = list(spec[key])
        spec["palette"] = [list(colour) for colour in self.palette]
        spec["resize"] = None if self.resize is None else list(self.resize)
        return spec

    @classmethod
    def from_dict(cls, spec: dict[str, Any]) -> "Spec":
        """Inverse of `to_dict`; raises MisuseError for another version, unknown keys, or values of another kind."""
        if spec.get("version") != SPEC_VERSION:
            raise MisuseError(
                f"this model's spec has version {spec.get('version')!r}; "
                f"this segapp reads version {SPEC_VERSION}: install the segapp that wrote it."
            )
        unknown = spec.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise MisuseError(f"this model's spec has unknown keys: {', '.join(sorted(unknown))}.")
        try:
            return cls(**cls._typed(spec))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise MisuseError(f"this model's spec is damaged ({type(error).__name__}: {error}).") from error

    @staticmethod
    def _typed(spec: dict[str, Any]) -> dict[str, Any]:
        """Lists become the tuples they were."""
        plain = dict(spec)
        plain["classes"] = tuple(plain["classes"])
        plain["palette"] = tuple((int(r), int(g), int(b)) for r, g, b in plain["palette"])
        plain["intensity"] = Intensity(**plain["intensity"])
        for key in ("window", *LISTS):
            if key in plain:  # those of LISTS came later: a model without them is used as it was
                plain[key] = tuple(plain[key])
        plain["resize"] = None if plain["resize"] is None else tuple(plain["resize"])
        return plain
