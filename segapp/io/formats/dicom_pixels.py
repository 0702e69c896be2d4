"""The pixels of DICOM files: their kind, checked before anything is decoded, and decoded with their meaning."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.dicom_files import NAME, PIXELS, import_pydicom, read_elements, silence_warnings
from segapp.io.formats.embedded_sizes import Size, read_jpeg2000_size, read_jpeg_ls_size, read_jpeg_size
from segapp.io.formats.jpeg_lossless import JPEG_LOSSLESS, require_readable
from segapp.io.formats.volume import DEFLATE, MAX_BYTES, require_sizes

GREY, PALETTE = ("MONOCHROME1", "MONOCHROME2"), "PALETTE COLOR"

COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

PACKAGES = {"JPEG 2000": "pylibjpeg-openjpeg", "JPEG-LS": "pyjpegls", "JPEG Baseline": "pillow"}
"""Beginning of the name of a transfer syntax → the package that decodes it."""

JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202",
             "1.2.840.10008.1.2.4.203")  # fmt: skip

JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")


@dataclass(frozen=True)
class PixelKind:
    """What the pixels of a file are; alike in all files of a series.

    Attributes:
        size: Rows and columns.
        samples: Stored values of a pixel.
        bits: Bits of a stored value, and how many of them are used.
        signed: Whether values may be negative.
        colours: DICOM's photometric interpretation.
        palette_bits: Bits of a colour in the palette; 0 without one.
        has_table: Whether a table, and no slope, gives the meaning of values.
    """

    size: Size
    samples: int
    bits: tuple[int, int]
    signed: bool
    colours: str
    palette_bits: int
    has_table: bool

    @property
    def channels(self) -> int:
        """Values of a decoded pixel."""
        return 3 if self.palette_bits else self.samples

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of decoded values, before slope and intercept."""
        if self.has_table:
            return np.dtype(np.float32)
        bits = self.palette_bits or max(self.bits[0], 8)
        return np.dtype(f"{'i' if self.signed and not self.palette_bits else 'u'}{bits // 8}")


def read_kind(path: Path, found: Any) -> PixelKind:
    """Return what the pixels of a file are; raise SegappError for what is not read."""
    if "Rows" not in found:
        modality = found.get("Modality", "unknown")
        advice = "; set mask to segapp.datasets.RtStruct" if modality == "RTSTRUCT" else ""
        raise SegappError(f"{path}: {NAME} without an image in it (modality {modality}){advice}.")
    if found.get("TotalPixelMatrixRows"):
        raise SegappError(f"{path}: {NAME} of the tiles of a large image is not read; save it as a tiled TIFF.")
    size = int(found.get("Rows") or 0), int(found.get("Columns") or 0)
    require_sizes(path, NAME, size)
    samples, colours = int(found.get("SamplesPerPixel") or 1), str(found.get("PhotometricInterpretation") or "")
    bits = int(found.get("BitsAllocated") or 0)
    used = int(found.get("BitsStored") or bits)
    if bits not in (1, 8, 16, 32) or not 1 <= used <= bits:
        raise SegappError(f"{path}: {NAME} of {used} used bits in {bits}; save integers of 8, 16 or 32 bits.")
    if (colours in (*GREY, PALETTE) and samples != 1) or (colours in COLOURS and samples != 3):
        raise SegappError(f"{path}: {NAME} of {samples} values per pixel that are called {colours}; save it again.")
    if colours not in (*GREY, PALETTE, *COLOURS):
        raise SegappError(f"{path}: {NAME} of the colours {colours or '(none)'} is not read; save grey values or RGB.")
    descriptor = found.get("RedPaletteColorLookupTableDescriptor") if colours == PALETTE else None
    if colours == PALETTE and (descriptor is None or len(descriptor) != 3 or descriptor[2] not in (8, 16)):
        raise SegappError(f"{path}: {NAME} without a palette of 8 or 16 bits; save it again.")
    return PixelKind(
        size,
        samples,
        (bits, used),
        bool(found.get("PixelRepresentation")),
        colours,
        int(descriptor[2]) if descriptor is not None else 0,
        colours in GREY and bool(found.get("ModalityLUTSequence")),
    )


def require_decodable(path: Path, found: Any, kind: PixelKind, frames: int) -> None:
    """Raise SegappError for pixels that no decoder reads, or that the file cannot hold."""
    syntax = found.file_meta.TransferSyntaxUID
    _require_decoder(path, syntax)
    stored, there = prod(kind.size) * kind.samples * frames * kind.bits[0] // 8, path.stat().st_size
    if kind.colours == "YBR_FULL_422" and not syntax.is_compressed:
        stored = stored * 2 // 3
    shape = " x ".join(map(str, (*kind.size, frames)))
    if stored > (there * DEFLATE if syntax.is_compressed else there):
        raise SegappError(
            f"{path}: {NAME} of {shape} pixels in {there:,} bytes, which cannot hold them; it is truncated, or its "
            "header is wrong."
        )
    require_few(path, kind, frames)


def require_few(path: Path, kind: PixelKind, frames: int) -> None:
    """Raise SegappError for more pixels than are decoded at once."""
    needed = prod(kind.size) * kind.channels * frames * kind.dtype.itemsize
    if needed > MAX_BYTES:
        shape = " x ".join(map(str, (*kind.size, frames)))
        raise SegappError(
            f"{path}: {NAME} of {shape} pixels, {needed:,} bytes; up to {MAX_BYTES:,} are decoded. Save the volume "
            "as .nii, which is read slice by slice."
        )


def _require_decoder(path: Path, syntax: Any) -> None:
    pixels = import_pydicom(path).pixels
    if not syntax.is_compressed:
        return
    try:
        is_available = pixels.get_decoder(syntax).is_available
    except NotImplementedError:
        is_available = False
    if is_available:
        return
    package = next((name for start, name in PACKAGES.items() if syntax.name.startswith(start)), None)
    advice = f"install it with pip install {package}" if package else "convert it, as with gdcmconv --raw"
    raise SegappError(f"{path}: no decoder for {NAME} of the transfer syntax {syntax.name}; {advice}.")


def decode_frames(path: Path, kind: PixelKind, frames: int) -> np.ndarray:
    """Return (frames, H, W, C) of `kind.dtype`, larger values brighter; raise SegappError for a broken file."""
    try:
        with silence_warnings():
            return _decode(path, kind, frames).astype(kind.dtype, copy=False)
    except SegappError:
        raise
    except Exception as error:  # of a file of a series, which is not the one that stands for it
        reason = (str(error).splitlines() or [""])[0][:200]
        raise SegappError(f"{path}: a broken or truncated {NAME} ({type(error).__name__}: {reason}).") from error


def _decode(path: Path, kind: PixelKind, frames: int) -> np.ndarray:
    pydicom = import_pydicom(path)
    found = read_elements(path, PIXELS, with_pixels=True)
    if found.file_meta.TransferSyntaxUID.is_compressed:
        _check_streams(path, found, kind, frames)
    pixels = pydicom.pixels.pixel_array(found)
    if kind.palette_bits:
        pixels = pydicom.pixels.apply_color_lut(pixels, found)
    pixels = _brighten(pixels.reshape(frames, *kind.size, kind.channels), kind)
    return pydicom.pixels.apply_modality_lut(pixels, found) if kind.has_table else pixels


def _check_streams(path: Path, found: Any, kind: PixelKind, frames: int) -> None:
    """Raise SegappError where the stream of a frame, by which a decoder allocates, is not what the header says."""
    from pydicom.encaps import generate_frames

    syntax = str(found.file_meta.TransferSyntaxUID)
    read_size = (
        read_jpeg2000_size if syntax in JPEG_2000 else read_jpeg_ls_size if syntax in JPEG_LS else read_jpeg_size
    )
    if syntax == "1.2.840.10008.1.2.5":  # RLE: as long as the header says
        return
    for stream in generate_frames(found.PixelData, number_of_frames=frames):
        if (size := read_size(stream)) != kind.size:
            raise SegappError(
                f"{path}: {NAME} of {kind.size[0]} x {kind.size[1]} pixels that holds {size[0]} x {size[1]}; "
                "save it again."
            )
        if syntax in JPEG_LOSSLESS:
            require_readable(path, stream, kind.samples, kind.bits[0])


def _brighten(pixels: np.ndarray, kind: PixelKind) -> np.ndarray:
    """Return the values, inverted where the smallest is white."""
    if kind.colours != "MONOCHROME1":
        return pixels
    largest = -1 if kind.signed else 2 ** kind.bits[1] - 1
    return (largest - pixels.astype(np.int64)).astype(pixels.dtype)
