"""The description of a model's data in plain types, which every checkpoint and bundle holds."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from segapp.errors import MisuseError

SPEC_VERSION = 1
LARGEST_WINDOW = 8192
"""Pixels a side: a network takes a window at once, and a larger one does not fit into memory."""

LONGEST_NAME, MOST_SCALES = 200, 16
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that move a terminal's cursor, end a line of a table, or cannot be written to a file."""

LISTS = ("symmetries", "scales", "min_object", "min_hole", "channel_files")

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

Symmetry = Literal["horizontal", "vertical", "rotations"]
"""Flips left to right, flips top to bottom, turns by 90 degrees."""

Average = Literal["probabilities", "logits"]

Blend = Literal["gaussian", "cosine", "none"]

IntensityKind = Literal["stored", "range", "percentile", "zscore"]

SliceAxis = Literal["auto", "axial", "coronal", "sagittal"]
"""How a volume is cut into slices; auto: across the axis of the largest voxel spacing, if equal axial."""

SLICE_NAME = re.compile(r"(.+)/(?:axial|coronal|sagittal)=\d+", re.DOTALL)
"""The name of an image that is a slice of a volume, as `patient_1/axial=012`."""

CHANNEL_NAME = "{name}"
"""What the name of a channel's file holds in place of the image's name."""

MOST_CHANNELS = 16

MOST_LEVELS = 63
"""The coarsest level of a pyramid: halved so often, any image is a single pixel."""

MOST_NEIGHBOURS = 7
"""Slices before and after one that may be its channels: 15 of the 16 channels that there are at most."""


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
            raise MisuseError(f"intensity must be {' or '.join(get_args(IntensityKind))}, got {self.kind!r}.")
        if self.kind in ("range", "percentile") and not self.low < self.high:
            raise MisuseError(f"intensity {self.kind} needs low < high, got low={self.low} and high={self.high}.")
        if self.kind == "percentile" and not (self.low >= 0 and self.high <= 100):
            raise MisuseError(
                f"intensity percentile needs low and high in 0 … 100, got low={self.low} and high={self.high}."
            )

    @property
    def dtype(self) -> Literal["uint8", "float32"]:
        """The dtype that images are delivered in under this policy."""
        return "uint8" if self.kind == "stored" else "float32"


@dataclass(frozen=True)
class Resolution:
    """At which of its resolutions an image is read that is stored at several, as a slide: one of the two is given."""

    level: int | None = None
    """0 is the finest."""
    um_per_pixel: float | None = None
    """µm per pixel: of the level that has them, else of the next finer level, averaged."""

    def __post_init__(self) -> None:
        if (self.level is None) == (self.um_per_pixel is None):
            raise MisuseError(
                f"resolution needs `level` (0 is the finest) or `um_per_pixel` (as 0.5), one of the two, got "
                f"level={self.level} and um_per_pixel={self.um_per_pixel}."
            )
        if self.level is not None and not 0 <= self.level <= MOST_LEVELS:
            raise MisuseError(f"resolution.level is 0 … {MOST_LEVELS}, got {self.level}.")
        if self.um_per_pixel is not None and not 1e-3 <= self.um_per_pixel <= 1e4:
            raise MisuseError(f"resolution.um_per_pixel is 0.001 … 10000 µm, got {self.um_per_pixel}.")

    def __str__(self) -> str:
        return f"level {self.level}" if self.level is not None else f"{self.um_per_pixel:g} µm per pixel"


@dataclass(frozen=True)
class Spec:
    """The contract between a trained network and its images: classes, channels, intensity, windows."""

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
    """Fraction of a window that its neighbour also covers, 0 ≤ overlap < 1."""
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
    slice_axis: SliceAxis = "auto"
    """How volumes are cut into slices."""
    neighbours: int = 0
    """Slices before and as many after a slice that are channels of it; `channels` counts them all."""
    channel_files: tuple[str, ...] = ()
    """The names of the files of each channel, as `{name}_0000`, where the channels of an image are in several files."""
    resolution: Resolution | None = None
    """At which of their resolutions images are read; None for the only or finest one, whatever its µm per pixel."""
    version: int = SPEC_VERSION

    def __post_init__(self) -> None:
        if not 2 <= len(self.classes) <= 255:
            raise MisuseError(f"segapp works with 2 to 255 classes, got {len(self.classes)}.")
        if len(self.palette) != len(self.classes):
            raise MisuseError(
                f"the palette has {len(self.palette)} colours for {len(self.classes)} classes; give one each."
            )
        self._check_names()
        if "mean" in self.classes:
            raise MisuseError("a class cannot be called mean: tables use this name for the mean over classes.")
        if self.background is not None and not 0 <= self.background < len(self.classes):
            raise MisuseError(f"background={self.background} is not one of 0 … {len(self.classes) - 1}.")
        if not 1 <= self.channels <= 16:
            raise MisuseError(f"segapp works with 1 to 16 image channels, got {self.channels}.")
        if not 0 <= self.overlap < 1:
            raise MisuseError(f"overlap must be a fraction in [0, 1), got {self.overlap}.")
        if not 1 <= min(self.window) <= max(self.window) <= LARGEST_WINDOW:
            raise MisuseError(f"window needs a height and width of 1 … {LARGEST_WINDOW}, got {self.window}.")
        if self.resize is not None and not 1 <= min(self.resize) <= max(self.resize) <= LARGEST_WINDOW:
            raise MisuseError(f"resize needs a height and width of 1 … {LARGEST_WINDOW}, got {self.resize}.")
        self._check_options()

    def _check_names(self) -> None:
        """Names are text of one line, and no two are the same."""
        for name in self.classes:
            if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or CONTROL.search(name):
                raise MisuseError(
                    f"the name of a class must be text of one line, up to {LONGEST_NAME} characters, got {name!r:.120}."
                )
        twice = next((name for name in self.classes if self.classes.count(name) > 1), None)
        if twice is not None:
            raise MisuseError(f"two classes are called {twice!r}; every class needs a name of its own.")

    def _check_options(self) -> None:
        """Check what improves predictions: symmetries, scales, smallest objects and holes."""
        unknown = set(self.symmetries) - set(get_args(Symmetry))
        if unknown:
            raise MisuseError(f"symmetries are {' | '.join(get_args(Symmetry))}, got {', '.join(sorted(unknown))}.")
        named = (("average", Average), ("blend", Blend), ("precision", Precision), ("slice_axis", SliceAxis))
        for name, choices in named:
            if getattr(self, name) not in get_args(choices):
                raise MisuseError(f"{name} takes {' | '.join(get_args(choices))}, got {getattr(self, name)!r}.")
        check_neighbours(self.neighbours)
        check_channel_files(self.channel_files)
        if self.channels % (2 * self.neighbours + 1):
            raise MisuseError(
                f"{self.channels} channels cannot be those of a slice and its {2 * self.neighbours} neighbours: they "
                f"are a multiple of {2 * self.neighbours + 1}."
            )
        if len(self.symmetries) > len(set(self.symmetries)):
            raise MisuseError(f"symmetries must differ, got {', '.join(self.symmetries)}.")
        if not 1 <= len(self.scales) <= MOST_SCALES or not all(0.25 <= scale <= 4 for scale in self.scales):
            raise MisuseError(f"scales must be 1 … {MOST_SCALES} factors of 0.25 … 4, got {list(self.scales)!s:.120}.")
        for name, sizes in (("min_object", self.min_object), ("min_hole", self.min_hole)):
            if sizes and (len(sizes) != len(self.classes) or min(sizes) < 0):
                raise MisuseError(f"{name} must be a number of pixels per class, 0 or more, got {list(sizes)}.")

    @property
    def num_classes(self) -> int:
        """K, the number of logits' channels."""
        return len(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain types only: what a checkpoint (weights_only) and JSON can hold."""
        spec = asdict(self)
        for key in ("classes", "window", *LISTS):
            spec[key] = list(spec[key])
        spec["palette"] = [list(colour) for colour in self.palette]
        spec["resize"] = None if self.resize is None else list(self.resize)
        return spec

    @classmethod
    def from_dict(cls, spec: dict[str, Any]) -> "Spec":
        """Return the inverse of `to_dict`; MisuseError for another version, unknown keys, or values of another kind."""
        if not isinstance(spec, dict) or spec.get("version") != SPEC_VERSION:
            found = spec.get("version") if isinstance(spec, dict) else spec
            raise MisuseError(
                f"this model's spec has version {found!r}; "
                f"this segapp reads version {SPEC_VERSION}: install the segapp that wrote it."
            )
        known = {field.name for field in fields(cls)}
        unknown = [key for key in spec if key not in known]
        if unknown:
            raise MisuseError(f"this model's spec has unknown keys: {', '.join(sorted(map(str, unknown)))}.")
        missing = [key for key in ("classes", "background", "palette", "channels", "intensity") if key not in spec]
        if missing:
            raise MisuseError(f"this model's spec is damaged, it lacks {', '.join(missing)}.")
        return cls(**{key: _READ[key](key, value) for key, value in spec.items()})


def find_volume_name(image: str) -> str | None:
    """Return the name of the volume that an image is a slice of; None for other images.

    >>> find_volume_name("patient_1/axial=012")
    'patient_1'
    """
    match = SLICE_NAME.fullmatch(image)
    return match[1] if match else None


def check_neighbours(neighbours: int) -> None:
    """Raise MisuseError for a number of neighbouring slices that no network may take."""
    if not 0 <= neighbours <= MOST_NEIGHBOURS:
        raise MisuseError(f"neighbours counts slices on each side, 0 … {MOST_NEIGHBOURS}, got {neighbours}.")


def check_channel_files(channel_files: Sequence[str]) -> None:
    """Raise MisuseError for names of channels' files that are no file names, or are equal."""
    if len(channel_files) > MOST_CHANNELS or len(set(channel_files)) < len(channel_files):
        raise MisuseError(
            f"channel_files: up to {MOST_CHANNELS} different names are needed, got {channel_files!r:.300}."
        )
    for name in channel_files:
        is_name = isinstance(name, str) and len(name) <= LONGEST_NAME and not CONTROL.search(name)
        if not is_name or name.count(CHANNEL_NAME) != 1 or re.search(r"[/\\*?\[\]]|[{}].*[{}].*[{}]", name):
            raise MisuseError(
                f"channel_files: {name!r:.120} should be the name of a file with {CHANNEL_NAME} once, without folder "
                f"and suffix, as '{CHANNEL_NAME}_0000'."
            )


def _read_text(key: str, value: Any) -> str:
    return value if isinstance(value, str) else _refuse(key, "text", value)


def _read_whole_number(key: str, value: Any) -> int:
    return value if type(value) is int else _refuse(key, "a whole number", value)


def _read_number(key: str, value: Any) -> float:
    is_number = type(value) in (int, float) and math.isfinite(value)
    return value if is_number else _refuse(key, "a number", value)


def _make_list_reader(read: Callable[[str, Any], Any], length: int | None = None) -> Callable[[str, Any], Any]:
    """Return a reader of lists, of so many elements where a length is given."""

    def read_list(key: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or (length is not None and len(value) != length):
            _refuse(key, f"a list of {length}" if length else "a list", value)
        return tuple(read(key, one) for one in value)

    return read_list


def _make_optional_reader(read: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda key, value: None if value is None else read(key, value)


def _read_intensity(key: str, value: Any) -> Intensity:
    readers: dict[str, Callable[[str, Any], Any]] = {"kind": _read_text, "low": _read_number, "high": _read_number}
    if not isinstance(value, dict) or not value.keys() <= readers.keys():
        _refuse(key, "kind, low and high", value)
    return Intensity(**{part: readers[part](f"{key}.{part}", one) for part, one in value.items()})


def _read_resolution(key: str, value: Any) -> Resolution:
    readers: dict[str, Callable[[str, Any], Any]] = {"level": _read_whole_number, "um_per_pixel": _read_number}
    if not isinstance(value, dict) or not value.keys() <= readers.keys():
        _refuse(key, "level or um_per_pixel", value)
    return Resolution(
        **{part: _make_optional_reader(readers[part])(f"{key}.{part}", one) for part, one in value.items()}
    )


def _read_colour(key: str, value: Any) -> tuple[int, ...]:
    colour: tuple[int, ...] = _make_list_reader(_read_whole_number, 3)(key, value)
    return colour if all(0 <= part <= 255 for part in colour) else _refuse(key, "colours of 0 … 255", value)


def _refuse(key: str, expected: str, value: Any) -> Any:
    raise MisuseError(f"this model's spec is damaged: {key} takes {expected}, got {value!r:.80}.")


_READ: dict[str, Callable[[str, Any], Any]] = {
    "classes": _make_list_reader(_read_text),
    "background": _make_optional_reader(_read_whole_number),
    "palette": _make_list_reader(_read_colour),
    "channels": _read_whole_number,
    "intensity": _read_intensity,
    "resize": _make_optional_reader(_make_list_reader(_read_whole_number, 2)),
    "window": _make_list_reader(_read_whole_number, 2),
    "overlap": _read_number,
    "blend": _read_text,
    "precision": _read_text,
    "symmetries": _make_list_reader(_read_text),
    "scales": _make_list_reader(_read_number),
    "average": _read_text,
    "min_object": _make_list_reader(_read_whole_number),
    "min_hole": _make_list_reader(_read_whole_number),
    "slice_axis": _read_text,
    "neighbours": _read_whole_number,
    "channel_files": _make_list_reader(_read_text),
    "resolution": _make_optional_reader(_read_resolution),
    "version": _read_whole_number,
}
"""The readers that turn the values of a file into those of the spec."""
