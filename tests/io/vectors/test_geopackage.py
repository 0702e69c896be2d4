"""A GeoPackage is checked before GDAL opens it: it may be another file, damaged, or a program."""

import sqlite3
from contextlib import closing

import pytest
import shapely

from segapp.errors import MisuseError
from segapp.io.vectors import geopackage
from segapp.io.vectors.geopackage import list_layers, open_geopackage
from tests.io.vectors.samples import BOX, add_layer, change, overwrite, write_vectors

ENDLESS = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS fid, NULL AS geom FROM c WHERE x < 0"
)


@pytest.fixture
def path(tmp_path):
    return write_vectors(tmp_path / "a.gpkg", [BOX, BOX], layer="fields")


def test_layers_and_whether_they_hold_areas(path):
    write_vectors(path, [shapely.Point(1, 1)], kind="Point", layer="wells", append=True)
    assert list_layers(path) == {"fields": True, "wells": False}
    assert open_geopackage(path, "fields").count == 2


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "empty"),
        (b"a text of a hundred bytes " * 4, "not a GeoPackage, by its first bytes"),
        (b"<OGRVRTDataSource><OGRVRTLayer><SrcDataSource>/vsicurl/x</SrcDataSource>".ljust(200), "not a GeoPackage"),
    ],
)
def test_other_files_are_refused(tmp_path, content, found):
    (tmp_path / "a.gpkg").write_bytes(content)
    with pytest.raises(MisuseError, match=rf"a\.gpkg: .*{found}"):
        list_layers(tmp_path / "a.gpkg")


def test_another_database_is_refused(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(MisuseError, match=r"a\.gpkg: not a GeoPackage"):
        list_layers(tmp_path / "a.gpkg")


def test_a_file_that_is_cut_off_is_refused(path):
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(MisuseError, match=r"a\.gpkg: cut off, 50,000 bytes of \d+"):
        list_layers(path)


def test_a_damaged_table_is_refused(path):
    overwrite(path, 100, bytes(4000))
    with pytest.raises(MisuseError, match=r"a\.gpkg: damaged"):
        list_layers(path)


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_changes_beside_the_file_are_not_overlooked(path, ending):
    beside = path.with_name(f"a.gpkg{ending}")
    beside.write_bytes(b"")
    assert list_layers(path)
    beside.write_bytes(b"change")
    with pytest.raises(MisuseError, match=rf"a\.gpkg{ending}: .*close"):
        list_layers(path)


@pytest.mark.parametrize(
    "table",
    [f"VIEW v AS {ENDLESS}", "TABLE v (fid, kind, geom AS (zeroblob(1e9)))", "VIRTUAL TABLE v USING fts5(geom)"],
)
def test_layers_that_are_programs_are_not_run(path, table):
    add_layer(path, "v", table)
    assert open_geopackage(path, "fields").count == 2
    with pytest.raises(MisuseError, match=r"a\.gpkg: layer 'v' is computed"):
        open_geopackage(path, "v")


def test_a_table_of_the_format_that_is_a_program_is_not_run(path):
    change(path, "DROP TABLE gpkg_extensions", f"CREATE VIEW gpkg_extensions AS {ENDLESS}")
    with pytest.raises(MisuseError, match=r"a\.gpkg: gpkg_extensions is computed"):
        list_layers(path)


def test_counts_are_those_of_the_table(path):
    change(path, "UPDATE gpkg_ogr_contents SET feature_count = 1")
    with pytest.raises(MisuseError, match="has 2 features and states 1"):
        open_geopackage(path, "fields")


def test_a_layer_that_is_not_there_and_too_many_features_are_refused(path, monkeypatch):
    change(path, "ALTER TABLE fields RENAME TO other", "UPDATE gpkg_geometry_columns SET table_name = 'fields'")
    with pytest.raises(MisuseError, match="'fields' is listed and not there"):
        open_geopackage(path, "fields")
    change(path, "ALTER TABLE other RENAME TO fields")
    monkeypatch.setattr(geopackage, "MAX_FEATURES", 1)
    with pytest.raises(MisuseError, match=r"has 2 features, and 1 at most"):
        open_geopackage(path, "fields")


def test_counting_ends(path, monkeypatch):
    """A view over the first table is refused before it is run; here the clock ends what would not end."""
    monkeypatch.setattr(geopackage, "SECONDS", 0.1)
    monkeypatch.setattr(geopackage, "_require_stored", lambda *_: None)
    add_layer(path, "v", f"VIEW v AS {ENDLESS}")
    with pytest.raises(MisuseError, match=r"a\.gpkg: damaged.*interrupted"):
        open_geopackage(path, "v")
