"""The tags of a TIFF's page: kinds of samples, palette, nodata, and geometry."""

from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.pixel_size import read_pixel_size

PHOTOMETRIC = ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR")
GDAL_NODATA = 42113
LOSSY = frozenset(
    [
        "OJPEG",
        "JPEG",
        "JPEG_99",
        "ALT_JPEG",
        "JPEG_LOSSY",
        "JPEGXR",
        "JPEGXR_NDPI",
        "JPEG2000",
        "JPEG_2000_LOSSY",
        "APERIO_JP2000_YCBC",
        "APERIO_JP2000_RGB",
        "JPEGXL",
        "JPEGXL_DNG",
        "WEBP",
        "WEBP_DEPRECATED",
        "LERC",
        "JETRAW",
    ]
)
"""Compressions that change values, or may: whether they did is written in the stream of every tile, if anywhere."""

JPEG = frozenset({"OJPEG", "JPEG", "JPEG_99", "ALT_JPEG", "JPEG_LOSSY"})
"""Those whose decoder turns YCbCr into RGB."""

APERIO = {"APERIO_JP2000_YCBC": "YCBCR", "APERIO_JP2000_RGB": "RGB"}
"""Compressions that say what the colours are: the tag of such slides may be wrong (openslide.org/formats/aperio)."""

RASTER_TYPE, PIXEL_IS_POINT = 1025, 2
"""Of the GeoTIFF standard: the georeference is of pixels' centres instead of their upper left corners."""

GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)


def require_colours(path: Path, page: Any, bands: int) -> str:
    """Return the page's photometric interpretation; SegappError for one that is not read."""
    compression = get_compression(page)
    named = getattr(page.photometric, "name", str(page.photometric))
    photometric = APERIO.get(compression, named) if bands == 3 else named
    if photometric not in PHOTOMETRIC:
        raise SegappError(f"{path}: TIFF with {photometric} colours; convert it to RGB or grey.")
    if photometric == "YCBCR" and compression not in JPEG:
        raise SegappError(f"{path}: TIFF with YCbCr colours under {compression}; convert it to RGB.")
    if photometric in ("RGB", "YCBCR") and bands < 3:
        raise SegappError(
            f"{path}: TIFF of kind {photometric} with {bands} samples per pixel, which do not match; save it again."
        )
    # Of several channels, one page each, palettes are what microscopes show them in; of one page, what its values mean.
    if photometric == "PALETTE" and (page.samplesperpixel > 1 or (bands == 1 and page.dtype != np.uint8)):
        raise SegappError(
            f"{path}: TIFF with a palette for {page.samplesperpixel} x {page.dtype}; save it with 8-bit indices."
        )
    return photometric


def get_compression(page: Any) -> str:
    """Return the name of the page's compression."""
    return str(getattr(page.compression, "name", page.compression))


def find_lossy_codec(page: Any) -> str | None:
    """Return the page's compression where it changes values."""
    name = get_compression(page)
    return name if name in LOSSY else None


def find_alpha_band(path: Path, page: Any, bands: int) -> int | None:
    """Return the band that ExtraSamples calls alpha; unspecified extra samples are real channels."""
    kinds = [int(kind) for kind in page.extrasamples]
    alphas = [i for i, kind in enumerate(kinds) if kind in (1, 2)]
    if not alphas or bands != page.samplesperpixel:
        return None
    if len(alphas) > 1:
        raise SegappError(f"{path}: TIFF with {len(alphas)} alpha channels; save it with one or none.")
    return int(page.samplesperpixel) - len(kinds) + alphas[0]


def read_palette(page: Any) -> np.ndarray:
    """Return (256, 3) uint8 from TIFF's 16-bit colour map; some programs write 8 bits into it."""
    colours = page.colormap.T
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours if colours.max(initial=0) < 256 else colours >> 8
    return palette


def read_nodata(page: Any) -> float | None:
    """Return the value that GDAL's tag gives to pixels that were not measured."""
    if GDAL_NODATA not in page.tags:
        return None
    try:
        return float(str(page.tags[GDAL_NODATA].value).strip("\0 "))
    except ValueError:  # GDAL itself ignores what is no number
        return None


def read_orientation(page: Any) -> int:
    """Return EXIF's 1 … 8."""
    tag = page.tags.get(274)
    return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1


def read_geometry(page: Any) -> dict[str, Any]:
    """Return compression, resolution, GeoTIFF tags, CRS, and the affine map in GDAL's order.

    That is x, dx/dcolumn, dx/drow, y, dy/dcolumn, dy/drow of the upper left corner.
    """
    meta: dict[str, Any] = {"compression": get_compression(page)}
    if 282 in page.tags and 283 in page.tags:
        x, y = (page.tags[code].value for code in (282, 283))
        unit = {2: "inch", 3: "centimeter"}.get(int(page.resolutionunit), "none")
        if x[1] and y[1]:
            meta["resolution"] = (y[0] / y[1], x[0] / x[1], unit)
    if (measured := read_pixel_size(page.description, meta.get("resolution", ())[:2] or None)) is not None:
        meta["pixel_size"] = measured
    geo = {code: page.tags[code].value for code in GEO_TAGS if code in page.tags}
    if geo:
        meta["geotiff"] = geo
    if 33550 in geo and 33922 in geo:
        (sx, sy, *_), (column, row, _, x, y, *_) = geo[33550], geo[33922]
        meta["affine"] = (x - column * sx, sx, 0.0, y + row * sy, 0.0, -sy)
    elif 34264 in geo:
        a, b, _, x, d, e, _, y, *_ = geo[34264]
        meta["affine"] = (x, a, b, y, d, e)
    keys = geo.get(34735, ())
    short = {keys[i]: keys[i + 3] for i in range(4, len(keys) - 3, 4)}
    if alone := {keys[i]: keys[i + 3] for i in range(4, len(keys) - 3, 4) if keys[i + 1] == 0}:
        meta["geo_keys"] = alone
    if "affine" in meta and short.get(RASTER_TYPE) == PIXEL_IS_POINT:
        x, a, b, y, d, e = meta["affine"]
        meta["affine"] = (x - (a + b) / 2, a, b, y - (d + e) / 2, d, e)
    code = short.get(3072, short.get(2048))  # of the projection, else of the geographic system
    if code and code != 32767:  # "defined by the user": the other keys, kept in geotiff, say how
        meta["crs"] = f"EPSG:{code}"
    return meta
