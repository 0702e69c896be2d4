"""Writes masks as segmentations of DICOM that refer to the slices they were made on."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import segapp
from segapp.io.formats.dicom_files import NAME, read_elements, silence_warnings
from segapp.io.formats.dicom_frames import Frame
from segapp.io.formats.format import MaskLayout
from segapp.io.formats.libraries import import_library

EMPTY = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
         "StudyTime")  # fmt: skip
"""Elements that a segmentation takes from its images, and that may be empty."""

SEXES = ("M", "F", "O")

UTF_8 = "ISO_IR 192"

LONGEST_LABEL = 64

ENHANCED = "1.2.840.10008.5.1.4.1.1.2.1"
"""A SOP class whose files have positions of frames: that of files in memory, until they are referred to."""


def write_segmentation(path: Path, mask: np.ndarray, frames: Sequence[Frame], layout: MaskLayout) -> None:
    """Write class indices (X, Y, Z) uint8 as a BINARY segmentation, a segment for each class but the background.

    Args:
        path: The file.
        mask: The indices, on the grid of the image.
        frames: The slices of the image, in the order of its grid; their files are read.
        layout: The names and colours of the classes.

    Raises:
        ValueError: The mask holds values that are no class, or the image lacks what a segmentation needs.
    """
    highdicom = import_library("highdicom", "medical", path, f"a {NAME} segmentation")
    numbers = _number_classes(mask, layout)
    table = np.zeros(256, np.uint8)
    for index, number in numbers.items():
        table[index] = number
    labels = table[mask.transpose(2, 1, 0)]
    try:
        with silence_warnings():
            sources = _read_sources(frames)
            planes = labels[_order_as_sources(frames)]
            written = _build(highdicom, [found for found, _ in sources], planes, numbers, layout)
            _restore_classes(written, {found.SOPInstanceUID: sop_class for found, sop_class in sources})
            written.save_as(path, enforce_file_format=True)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"a {NAME} segmentation cannot be made from the headers of the image: {error}") from error


def _number_classes(mask: np.ndarray, layout: MaskLayout) -> dict[int, int]:
    """Return the number of the segment of each class; segments are numbered from 1 without gaps."""
    if layout.palette is None:
        raise ValueError(f"{NAME} segmentations hold classes, not grey values; use .png or .tif")
    count = len(layout.classes) or len(layout.palette)
    background = layout.background if layout.classes else 0
    present = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    if unknown := [int(value) for value in present if value >= count]:
        raise ValueError(f"the mask holds {unknown}, which are no classes, and {NAME} segmentations hold classes only")
    indices = [index for index in range(count) if index != background]
    return {index: number for number, index in enumerate(indices, start=1)}


def _read_sources(frames: Sequence[Frame]) -> list[tuple[Any, str]]:
    """Return the headers of the image's files, with what a segmentation must have, and each with its SOP class."""
    from pydicom.uid import generate_uid

    sources: list[tuple[Any, str]] = []
    for path in dict.fromkeys(frame.path for frame in frames):
        found = read_elements(path, None)
        found.decode()
        for word in EMPTY:
            setattr(found, word, _keep_valid(word, found.get(word)))
        found.SpecificCharacterSet = UTF_8
        found.Modality = found.get("Modality") or "OT"
        for word, shared in (
            ("StudyInstanceUID", frames[0].path),
            ("SeriesInstanceUID", frames[0].path),
            ("SOPInstanceUID", path),
        ):
            if not found.get(word):
                setattr(found, word, generate_uid(entropy_srcs=[str(shared), word]))
        if sources:  # a series is of one study, whatever its files say
            found.StudyInstanceUID = sources[0][0].StudyInstanceUID
        sop_class = str(found.SOPClassUID)
        _complete_geometry(found, [frame for frame in frames if frame.path == path])
        sources.append((found, sop_class))
    return sources


def _keep_valid(word: str, value: Any) -> Any:
    """Return the value of an element, None where it is not to the standard, as in many files without names."""
    from pydicom import config
    from pydicom.datadict import dictionary_VR
    from pydicom.dataelem import DataElement

    text = "" if value is None else str(value)
    try:
        DataElement(word, dictionary_VR(word), text, validation_mode=config.RAISE)
    except ValueError:
        return None
    if not text or (word == "PatientSex" and text not in SEXES):
        return None
    return text


def _complete_geometry(found: Any, frames: Sequence[Frame]) -> None:
    """Add to the header of a file in memory what a segmentation must say of its place.

    Slices of a series share a frame of reference, which may lack a name. Frames without positions get some in a frame
    of reference that is theirs alone: what they are made on is found by reference.
    """
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    first = frames[0]
    own = generate_uid(entropy_srcs=["frame", str(found.SOPInstanceUID)])
    y, x = first.spacing or (1.0, 1.0)
    if first.position is not None and first.axes is not None:
        if not found.get("FrameOfReferenceUID"):
            found.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame", str(found.SeriesInstanceUID)])
        if len(frames) == 1:
            found.PixelSpacing = [y, x]
            found.SliceThickness = found.get("SliceThickness") or first.thickness or max(y, x)
        return
    found.FrameOfReferenceUID = own
    if len(frames) == 1:
        found.ImagePositionPatient, found.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
        found.PixelSpacing, found.SliceThickness = [y, x], max(y, x)
        return
    shared, measures, directions = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [y, x], max(y, x)
    directions.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [directions]
    found.SOPClassUID = ENHANCED
    found.SharedFunctionalGroupsSequence = [shared]
    found.PerFrameFunctionalGroupsSequence = [_make_position(index * max(y, x)) for index in range(len(frames))]


def _restore_classes(written: Any, classes: Mapping[str, str]) -> None:
    """Refer to the image's files by the SOP classes that they have."""

    def restore(found: Any, element: Any) -> None:
        if element.keyword == "ReferencedSOPClassUID" and found.get("ReferencedSOPInstanceUID") in classes:
            element.value = classes[found.ReferencedSOPInstanceUID]

    written.walk(restore)


def _make_position(height: float) -> Any:
    from pydicom.dataset import Dataset

    group, position = Dataset(), Dataset()
    position.ImagePositionPatient = [0, 0, height]
    group.PlanePositionSequence = [position]
    return group


def _order_as_sources(frames: Sequence[Frame]) -> list[int]:
    """Return the places of the slices in the order of their files, and of the frames in each."""
    files = {path: number for number, path in enumerate(dict.fromkeys(frame.path for frame in frames))}
    return sorted(range(len(frames)), key=lambda place: (files[frames[place].path], frames[place].index))


def _build(
    highdicom: Any, sources: Sequence[Any], planes: np.ndarray, numbers: dict[int, int], layout: MaskLayout
) -> Any:
    from pydicom.uid import generate_uid

    entropy = [str(sources[0].SOPInstanceUID), str(planes.shape), sha256(planes.tobytes()).hexdigest()]
    return highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=planes,
        segmentation_type="BINARY",
        segment_descriptions=[_describe(highdicom, index, number, layout) for index, number in numbers.items()],
        series_instance_uid=generate_uid(entropy_srcs=["series", *entropy]),
        series_number=1,
        sop_instance_uid=generate_uid(entropy_srcs=["instance", *entropy]),
        instance_number=1,
        manufacturer="segapp",
        manufacturer_model_name="segapp",
        software_versions=segapp.__version__,
        device_serial_number="1",
        content_description="Classes by segapp",
        series_description="Segmentation by segapp",
        omit_empty_frames=bool(planes.any()),
    )


def _describe(highdicom: Any, index: int, number: int, layout: MaskLayout) -> Any:
    from pydicom.sr.codedict import codes

    name = (layout.classes[index] if layout.classes else f"class {index}").replace("\\", "/")[:LONGEST_LABEL]
    assert layout.palette is not None
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=codes.SCT.Tissue,
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            "segapp", codes.DCM.ArtificialIntelligence, segapp.__version__
        ),
        display_color=highdicom.color.CIELabColor.from_rgb(*layout.palette[index]),
    )
