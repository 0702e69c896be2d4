"""A Shapefile is several files, which are checked before GDAL opens them."""

import os
import struct

import pytest
import shapely

from segapp.errors import MisuseError
from segapp.io.vectors import shapefile
from segapp.io.vectors.shapefile import open_shapefile
from tests.io.vectors.samples import BOX, overwrite, write_vectors

LANGUAGE = 29
"""The byte of a table that says the encoding of its texts."""

RECORD = 108
"""Where the content of the first shape begins."""


@pytest.fixture
def path(tmp_path):
    return write_vectors(tmp_path / "a.shp", [BOX, None, shapely.MultiPolygon([BOX, shapely.box(5, 5, 6, 6)])])


def test_a_complete_one_is_opened_with_suffixes_of_any_case(path):
    assert open_shapefile(path).count == 3
    for file in list(path.parent.iterdir()):
        file.rename(file.with_suffix(file.suffix.upper()))
    (path.parent / "a.tif").write_bytes(b"")
    assert open_shapefile(path.with_suffix(".SHP")).crs == "EPSG:32633"


@pytest.mark.parametrize(
    ("encoding", "language", "has_cpg", "found"),
    [
        ("UTF-8", 0x00, False, "Straße"),
        ("UTF-8", 0x57, False, "Straße"),
        ("UTF-8", 0x00, True, "Straße"),
        ("ISO-8859-1", 0x00, False, "Straße"),
        ("UTF-8", 0x02, False, "Stra├ƒe"),  # it says that it is of another encoding
    ],
)
def test_texts_are_read_as_they_are_written(tmp_path, encoding, language, has_cpg, found):
    path = write_vectors(tmp_path / "a.shp", fields={"kind": ["Straße"]}, encoding=encoding)
    overwrite(path.with_suffix(".dbf"), LANGUAGE, bytes([language]))
    if not has_cpg:
        path.with_suffix(".cpg").unlink()
    assert [feature.properties for feature in open_shapefile(path).read(None)] == [{"kind": found}]


@pytest.mark.parametrize("suffix", [".shx", ".dbf"])
def test_a_missing_file_is_named(path, suffix):
    path.with_suffix(suffix).unlink()
    with pytest.raises(MisuseError, match=rf"a\{suffix}: is missing"):
        open_shapefile(path)


@pytest.mark.parametrize("suffix", [".shp", ".shx", ".dbf"])
def test_a_file_that_is_cut_off_is_named(path, suffix):
    file = path.with_suffix(suffix)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(MisuseError, match=rf"a\{suffix}: cut off"):
        open_shapefile(path)


@pytest.mark.parametrize("suffix", [".dbf", ".qix", ".cpg"])
def test_a_pipe_among_the_files_is_not_opened(path, suffix):
    path.with_suffix(suffix).unlink(missing_ok=True)
    os.mkfifo(path.with_suffix(suffix))
    with pytest.raises(MisuseError, match=rf"a\{suffix}: a named pipe"):
        open_shapefile(path)


def test_a_link_that_leads_nowhere_is_named(path):
    path.with_suffix(".dbf").unlink()
    path.with_suffix(".dbf").symlink_to("gone.dbf")
    with pytest.raises(MisuseError, match=r"a\.dbf: a link to gone\.dbf"):
        open_shapefile(path)


@pytest.mark.parametrize(
    ("suffix", "offset", "new", "found"),
    [
        (".shp", 0, b"<OGRVRTDataSource>", r"a\.shp: not of a Shapefile"),
        (".shx", 0, b"text", r"a\.shx: not of a Shapefile"),
        (".shp", RECORD, struct.pack("<I", 77), "unknown kind 77"),
        (".shx", 100, struct.pack(">I", 2**30), "behind its end"),
        (".dbf", 4, struct.pack("<I", 1), r"a\.dbf: has 1 rows and the Shapefile 3 shapes"),
    ],
)
def test_damaged_files_are_named(path, suffix, offset, new, found):
    overwrite(path.with_suffix(suffix), offset, new)
    with pytest.raises(MisuseError, match=found):
        open_shapefile(path)


def test_an_index_that_reads_one_shape_many_times_is_refused(tmp_path):
    path = write_vectors(tmp_path / "a.shp", [shapely.Point(0, 0).buffer(1), BOX, BOX])
    index = path.with_suffix(".shx")
    overwrite(index, 108, index.read_bytes()[100:108] * 2)
    with pytest.raises(MisuseError, match="behind its end"):
        open_shapefile(path)


def test_more_than_is_read_is_refused(path, monkeypatch):
    monkeypatch.setattr(shapefile, "MAX_EFFORT", 20)
    with pytest.raises(MisuseError, match=r"a\.shp: has shapes of up to 2 rings"):
        open_shapefile(path)
    monkeypatch.setattr(shapefile, "MAX_FEATURES", 2)
    with pytest.raises(MisuseError, match=r"a\.shp: 3 features, and 2 at most"):
        open_shapefile(path)


def test_an_empty_one_is_opened(tmp_path):
    assert open_shapefile(write_vectors(tmp_path / "a.shp", [], {"kind": []})).count == 0
