"""A manifest survives crashes, and several processes' parts are one."""

from dataclasses import replace
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.inference.manifest import Manifest, Row, existing, fingerprint, refuse_foreign, row_of
from segapp.inference.plan import Job
from tests.inference.checkpoints import make_spec


@pytest.fixture
def job(tmp_path) -> Job:
    (tmp_path / "a.png").write_bytes(b"image")
    return Job(tmp_path / "a.png", {"mask": tmp_path / "out" / "a.png"}, "a.png")


def written(job: Job) -> None:
    job.outputs["mask"].parent.mkdir(exist_ok=True)
    job.outputs["mask"].write_bytes(b"mask")


def test_what_is_done_is_known_afterwards(job, tmp_path):
    begun = row_of(job, "m")
    Manifest(tmp_path / "out").add(begun)
    written(job)
    assert not Manifest(tmp_path / "out").is_done(begun, job)
    Manifest(tmp_path / "out").add(replace(begun, status="done", pixels="3 4", confidence=0.25, unit="mm²"))
    known = Manifest(tmp_path / "out")
    assert known.is_done(begun, job)
    assert (known.rows["a.png"].counts, known.rows["a.png"].confidence) == ([3, 4], 0.25)
    assert not known.is_done(replace(begun, mtime_ns=1), job)
    assert not known.is_done(replace(begun, model="other"), job)
    job.outputs["mask"].unlink()
    assert not known.is_done(begun, job)


@pytest.mark.parametrize("name", ["ä b.png", "two\nlines.png", 'quo"te,comma.png', "not\udcffutf8.png"])
def test_any_file_name_comes_back(tmp_path, name):
    Manifest(tmp_path).add(Row(name, 1, 2, "m", "done"))
    assert list(Manifest(tmp_path).rows) == [name]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_row_is_forgotten_and_later_ones_are_not(tmp_path, cut):
    manifest = Manifest(tmp_path)
    for name in ("a.png", "b.png"):
        manifest.add(Row(name, 1, 2, "m", "done"))
    content = manifest.path.read_bytes()
    manifest.path.write_bytes(content[:-cut])
    again = Manifest(tmp_path)
    assert "a.png" in again.rows
    again.add(Row("c.png", 1, 2, "m", "done"))
    assert {"a.png", "c.png"} <= set(Manifest(tmp_path).rows)
    assert all(row.status == "done" for row in Manifest(tmp_path).rows.values())


def test_parts_are_read_together_and_the_latest_row_counts(tmp_path):
    Manifest(tmp_path, 1, 2).add(Row("a.png", 1, 2, "first", "done"))
    Manifest(tmp_path).add(Row("a.png", 1, 2, "second", "done"))
    assert Manifest(tmp_path, 0, 2).rows["a.png"].model == "second"
    Manifest(tmp_path, 1, 2).add(Row("a.png", 1, 2, "third", "begun"))
    assert Manifest(tmp_path).rows["a.png"].model == "third"


def test_files_of_others_are_refused_and_our_own_unfinished_ones_are_not(job, tmp_path):
    begun = row_of(job, "m")
    manifest = Manifest(tmp_path / "out")
    refuse_foreign([(job, begun)], manifest, existing([job]))
    written(job)
    with pytest.raises(MisuseError, match=r"1 of 1 .*segapp has not written them.*a\.png.*--overwrite"):
        refuse_foreign([(job, begun)], manifest, existing([job]))
    manifest.add(begun)
    refuse_foreign([(job, begun)], manifest, existing([job]))
    with pytest.raises(MisuseError, match="another model"):
        refuse_foreign([(job, replace(begun, model="other"))], manifest, existing([job]))
    job.outputs["mask"].unlink()
    job.outputs["mask"].symlink_to(tmp_path / "gone")
    assert existing([job]) == {job.outputs["mask"]}


def test_the_fingerprint_is_of_weights_spec_and_kinds(tmp_path):
    weights, bundle = tmp_path / "best.ckpt", tmp_path / "bundle"
    weights.write_bytes(b"1")
    bundle.mkdir()
    (bundle / "net").write_bytes(b"1")
    spec = make_spec()
    mine = fingerprint([weights], spec, ["mask", "overlay"], {})
    assert mine == fingerprint([weights], spec, ["overlay", "mask"], {})
    others = [
        fingerprint([weights], replace(spec, overlap=0.5), ["mask", "overlay"], {}),
        fingerprint([weights], spec, ["mask"], {}),
        fingerprint([weights], spec, ["mask", "overlay"], {"probability_dtype": "uint8"}),
    ]
    weights.write_bytes(b"2")
    others.append(fingerprint([weights], spec, ["mask", "overlay"], {}))
    one = fingerprint([bundle], spec, ["mask"], {})
    (Path(bundle) / "net").write_bytes(b"2")
    others += [one, fingerprint([bundle], spec, ["mask"], {})]
    assert len({mine, *others}) == 7
