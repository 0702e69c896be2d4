"""Reads the bundles that `segapp export` writes: networks, their spec, and how they were verified.

    bundle.json         what is inside: version, format, dtype, the names of the network files, their temperatures
    spec.json           `Spec.to_dict()`
    verification.json   how far the networks are from their checkpoints
    network.onnx | network.xml + network.bin | network.safetensors + network.json | network.pt2
                        several networks, an ensemble: network-1, network-2, …

Reading one needs no torch; nothing is unpickled, and no name inside leads out of the folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from segapp.checkpoints.number_limits import read_temperature
from segapp.checkpoints.version import VERSION, read_spec, require_version
from segapp.errors import MisuseError
from segapp.spec import Spec
from segapp.system.text_files import read_json

MANIFEST, SPEC, VERIFICATION = "bundle.json", "spec.json", "verification.json"

MOST_NETWORKS = 64
"""Most networks of an ensemble."""

Format = Literal["onnx", "openvino", "weights", "pt2"]
Dtype = Literal["fp32", "fp16", "int8"]

FILES: dict[str, tuple[str, ...]] = {
    "onnx": (".onnx",),
    "openvino": (".xml", ".bin"),
    "weights": (".safetensors", ".json"),
    "pt2": (".pt2",),
}
"""The files of one network, the first of which is named in `bundle.json`."""


@dataclass(frozen=True)
class Bundle:
    """An exported model on disk."""

    folder: Path
    format: Format
    dtype: Dtype
    networks: tuple[Path, ...]
    spec: Spec
    window_statistics: bool
    """Whether a network normalises or pools over the whole window it sees."""
    temperatures: tuple[float, ...]
    """What the logits of each network are divided by before the softmax."""


def is_bundle(path: str | Path) -> bool:
    """Return whether a path is a bundle: a folder with a `bundle.json`."""
    return (Path(path) / MANIFEST).is_file()


def name_networks(format: Format, count: int) -> list[str]:
    """Name the main file of each of `count` networks."""
    stems = ["network"] if count == 1 else [f"network-{number + 1}" for number in range(count)]
    return [stem + FILES[format][0] for stem in stems]


def make_manifest(
    format: Format, dtype: Dtype, temperatures: Sequence[float], segapp: str, window_statistics: bool
) -> dict[str, Any]:
    """Make the content of `bundle.json`, of as many networks as there are temperatures."""
    return {
        "version": VERSION,
        "segapp": segapp,
        "format": format,
        "dtype": dtype,
        "networks": name_networks(format, len(temperatures)),
        "temperatures": list(temperatures),
        "window_statistics": window_statistics,
    }


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle and check that its files exist inside its folder. No network is opened.

    Raises MisuseError for a folder that is no bundle, one of another version, a damaged one, and one of `.pt2`.
    """
    folder = Path(path)
    content = read_json(folder / MANIFEST)
    require_version(folder, "bundle", content, "install the segapp that wrote it, or export again")
    format, dtype, networks = (content.get(key, "") for key in ("format", "dtype", "networks"))
    is_known = all(isinstance(word, str) for word in (format, dtype)) and format in FILES and dtype in get_args(Dtype)
    if not (is_known and isinstance(networks, list) and 1 <= len(networks) <= MOST_NETWORKS):
        raise MisuseError(f"{folder / MANIFEST}: damaged, it lacks the format, dtype or networks of the bundle.")
    if format == "pt2":
        raise MisuseError(
            f"{folder}: a .pt2 is not loaded, because torch would unpickle it and so run whatever it holds; "
            "export the checkpoint with --format onnx, openvino or weights."
        )
    found = tuple(_locate_network(folder, name, FILES[format]) for name in networks)
    spec = read_spec(folder / SPEC, read_json(folder / SPEC))
    temperatures = _read_temperatures(folder / MANIFEST, content.get("temperatures"), len(found))
    return Bundle(folder, format, dtype, found, spec, content.get("window_statistics") is True, temperatures)


def _read_temperatures(path: Path, values: Any, count: int) -> tuple[float, ...]:
    """Return the temperature of each network, 1 where the bundle has none."""
    if values is None:
        return (1.0,) * count
    if not isinstance(values, list) or len(values) != count:
        raise MisuseError(f"{path}: damaged, temperatures must be a list of {count} numbers, one for each network.")
    return tuple(read_temperature(path, value) for value in values)


def _locate_network(folder: Path, name: Any, suffixes: Sequence[str]) -> Path:
    """Locate the network file of that plain name; it and its companions lie in the folder itself, links or not."""
    plain = isinstance(name, str) and Path(name).name == name and "\\" not in name and name not in ("", ".", "..")
    if not plain or Path(name).suffix != suffixes[0]:
        raise MisuseError(f"{folder / MANIFEST}: names {name!r}, not a plain file name *{suffixes[0]}; it was refused.")
    for suffix in suffixes:
        file = (folder / name).with_suffix(suffix)
        if not file.is_file():
            raise MisuseError(f"{folder}: incomplete, {file.name} is missing; export it again.")
        if file.resolve().parent != folder.resolve():
            raise MisuseError(f"{file} is a link out of the bundle, to {file.resolve()}; it was refused.")
    return folder / name
