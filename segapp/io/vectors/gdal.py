"""Layers of vector files, read and written with GDAL (pyogrio).

GDAL chooses its driver by the content of a file, and some drivers open other files or addresses that the content names.
`open_geopackage` and `open_shapefile` therefore check the content before a `Layer` is made.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segapp.errors import MisuseError, SegappError
from segapp.io.formats.libraries import import_library
from segapp.io.write import explain_errors, write_atomically

CHUNK = 2**16
"""Features that are read at once."""
MAX_FIELDS = 256
TEXTS_AND_NUMBERS = {"OFTString", "OFTInteger", "OFTInteger64", "OFTReal"}
UNDEFINED = "Undefined "
"""The beginning of the names that GeoPackages give to unknown coordinate systems."""


class Feature(NamedTuple):
    """A geometry as well-known binary, None where there is none, and its properties."""

    wkb: bytes | None
    properties: dict[str, Any]


class Layer:
    """A layer of a checked file.

    Attributes:
        path: The file.
        crs: Its coordinate system as EPSG:NUMBER, or as well-known text; None where the file names none.
        fields: Properties that are texts or numbers.
        count: The number of features.
    """

    def __init__(self, path: Path, driver: str, name: str | None = None, **options: str) -> None:
        """Open a layer; raise MisuseError where the file is damaged or of another driver, or GDAL is missing.

        Args:
            path: The file.
            driver: The name of its format in GDAL.
            name: The layer; None for the only one.
            options: How GDAL opens the file.
        """
        self.path, self._name, self._options = path, name, options
        self._pyogrio = import_pyogrio(path)
        with self._explain_errors():
            info = self._pyogrio.read_info(self._address, layer=name, force_feature_count=True, **options)
        if info["driver"] != driver:
            raise MisuseError(f"{path}: is a file of {info['driver']}, not of {driver}; correct its suffix.")
        crs = info["crs"]
        self.crs: str | None = crs if crs and f'"{UNDEFINED}' not in crs[: 2 * len(UNDEFINED)] else None
        kinds = zip(info["fields"], info["ogr_types"], strict=True)
        self.fields = [str(field) for field, kind in kinds if kind in TEXTS_AND_NUMBERS][:MAX_FIELDS]
        self.count = int(info["features"])

    def read(self, fields: Sequence[str] | None) -> Iterator[Feature]:
        """Yield the features in the order of the file, with some properties; None for all."""
        names = [name for name in self.fields if fields is None or name in fields]
        for start in range(0, self.count, CHUNK):
            with self._explain_errors():
                meta, _, shapes, columns = self._pyogrio.raw.read(
                    self._address,
                    layer=self._name,
                    columns=names,
                    force_2d=True,
                    skip_features=start,
                    max_features=CHUNK,
                    **self._options,
                )
            values = dict(zip(meta["fields"], map(_to_list, columns), strict=True))
            missing = [None] * min(CHUNK, self.count - start)  # of a file that holds properties alone
            for number, wkb in enumerate(missing if shapes is None else shapes):
                yield Feature(wkb, {name: column[number] for name, column in values.items()})

    @property
    def _address(self) -> Path:
        """The path from the root, which is no address of the network whatever its name."""
        return self.path.absolute()

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Turn errors of GDAL into a MisuseError. Its warnings tell of what is checked or counted here."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except (RuntimeError, ValueError) as error:  # all errors of pyogrio are of the first
            message = str(error).rstrip(".")[:200]
            raise MisuseError(f"{self.path}: damaged, GDAL cannot read it ({message}); export it again.") from error


def write_polygons(
    path: Path, driver: str, layer: str, polygons: Sequence[bytes], columns: Mapping[str, np.ndarray], crs: str | None
) -> None:
    """Write polygons, as well-known binary, and their properties to a file of one layer.

    Raises SegappError where that fails, and leaves no part of the file.
    """
    pyogrio = import_pyogrio(path)
    buffer = BytesIO()  # GDAL writes into memory: what it has beside a file, it would leave there when killed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no coordinate system
            pyogrio.raw.write(
                buffer,
                np.array([*polygons, None], object)[:-1],
                list(columns.values()),
                list(columns),
                layer=layer,
                driver=driver,
                geometry_type="Polygon",
                crs=crs,
            )
    except RuntimeError as error:  # all errors of pyogrio are
        raise SegappError(f"{path}: GDAL cannot write it ({str(error)[:200]}).") from error
    with explain_errors(path), write_atomically(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def import_pyogrio(user: Path | str) -> Any:
    """Return the library; raise MisuseError where it is missing, with the file or option that needs it."""
    return import_library("pyogrio", "geo", user, "a GeoPackage or Shapefile")


def _to_list(column: np.ndarray) -> list[Any]:
    """Return Python values; None for missing numbers, which are NaN."""
    return [None if isinstance(value, float) and value != value else value for value in column.tolist()]
