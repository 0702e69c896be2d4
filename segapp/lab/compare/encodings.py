"""How folders of predictions are written, as `--encoding` says it."""

from collections.abc import Sequence
from pathlib import Path

from segapp.datasets import Source
from segapp.datasets.masks.encoding import PixelEncoding
from segapp.datasets.masks.values import Indices
from segapp.errors import MisuseError
from segapp.planning.mask_section import read_mask_section

LARGEST_VALUE = 2**16 - 1


def read_encodings(words: Sequence[str], names: Sequence[str], source: Source) -> dict[str, PixelEncoding]:
    """Return how the masks of each folder of predictions are written; class indices where no option says it.

    Args:
        words: Of `--encoding`: `background=0,cell=255`, or a data section; after NAME: for one folder.
        names: Of the folders of predictions.
        source: For the names of its classes.
    """
    common: PixelEncoding = Indices()
    own: dict[str, PixelEncoding] = {}
    for word in words:
        name, colon, text = word.partition(":")
        if colon and name in names:
            own[name] = _read_encoding(text, source)
        else:
            common = _read_encoding(word, source)
    return {name: own.get(name, common) for name in names}


def suggest_encoding(name: str, source: Source) -> str:
    """Return how an error explains to the user that a folder's masks may be written otherwise."""
    classes = source.classes
    values = ",".join(f"{label}={'…' if len(classes) > 2 else 255 * index}" for index, label in enumerate(classes[:3]))
    more = ",…" if len(classes) > 3 else ""
    return (
        f"If its values are others than the numbers of the classes, give them, as --encoding '{name}:{values}{more}'; "
        "of colours, name a data section there that describes them."
    )


def _read_encoding(text: str, source: Source) -> PixelEncoding:
    if Path(text).is_file():
        other, encoding = read_mask_section(text)
        if other.classes != source.classes:
            raise MisuseError(
                f"{text}: its classes are {', '.join(other.classes)}, those of the data {', '.join(source.classes)}; "
                "name the same ones in order."
            )
        return encoding
    if "=" not in text:
        raise MisuseError(
            f"--encoding {text}: is no file; give a data section, or the value of each class, such as "
            "background=0,cell=255."
        )
    return Indices(_read_values(text, source.classes))


def _read_values(text: str, classes: Sequence[str]) -> dict[int, int]:
    values: dict[int, int] = {}
    for word in text.split(","):
        name, _, value = (part.strip() for part in word.rpartition("="))
        if name not in classes:
            raise MisuseError(f"--encoding {text}: {name!r} is none of the classes {', '.join(classes)}.")
        if not value.isdecimal() or int(value) > LARGEST_VALUE or int(value) in values:
            raise MisuseError(
                f"--encoding {text}: {value!r} of {name} should be a whole number of 0 … {LARGEST_VALUE} that no other "
                "class has."
            )
        values[int(value)] = classes.index(name)
    if missing := [name for index, name in enumerate(classes) if index not in values.values()]:
        raise MisuseError(f"--encoding {text}: gives no value for {', '.join(missing)}; every class needs one.")
    return values
