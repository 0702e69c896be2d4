"""A prediction does what is not done, and replaces no file of another program, model or folder."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.prediction.manifest import Manifest, make_row
from segapp.prediction.selection import compute_fingerprint, find_existing, refuse_foreign, select_images
from segapp.prediction.tasks import ImageTask
from tests.inference.checkpoints import make_spec
from tests.prediction.conftest import written


def test_files_of_others_are_refused_and_our_own_unfinished_ones_are_not(task, tmp_path):
    begun = make_row(task, tmp_path / "out", "m")
    manifest = Manifest(tmp_path / "out")

    def refuse(row):
        refuse_foreign([(task, row)], manifest, find_existing(task.outputs.values()), [], row.model)

    refuse(begun)
    written(task)
    with pytest.raises(MisuseError, match=r"1 of 1 .*segapp has not written them.*a\.png.*--overwrite"):
        refuse(begun)
    manifest.add(begun)
    refuse(begun)
    with pytest.raises(MisuseError, match="another model"):
        refuse(replace(begun, model="other"))
    task.outputs["mask"].unlink()
    task.outputs["mask"].symlink_to(tmp_path / "gone")
    assert find_existing(task.outputs.values()) == {task.outputs["mask"]}


def test_an_image_of_the_same_name_in_another_folder_is_another_image(task, tmp_path):
    begun = make_row(task, tmp_path / "out", "m")
    assert begun.folder == ".."
    manifest = Manifest(tmp_path / "out")
    written(task)
    manifest.add(replace(begun, status="done"))

    def refuse(row):
        refuse_foreign([(task, row)], manifest, find_existing(task.outputs.values()), [], "m")

    refuse(replace(begun, size=7))  # it was changed
    with pytest.raises(MisuseError, match="exist already"):
        refuse(replace(begun, folder="../other", size=7))
    assert not manifest.is_done(replace(begun, folder="../other"), task)
    manifest.add(replace(begun, status="done", folder="../gone"))
    refuse(replace(begun, size=7))  # the folder was moved
    assert manifest.is_done(begun, task)


def test_files_of_two_models_or_settings_are_not_mixed(task, tmp_path):
    begun = make_row(task, tmp_path / "out", "m")
    manifest = Manifest(tmp_path / "out")
    manifest.add(replace(begun, image="z.png", status="done"))  # not even those of other images

    def refuse(model):
        refuse_foreign([(task, replace(begun, model=model))], manifest, set(), [], model)

    refuse("m")
    with pytest.raises(MisuseError, match=r"out holds results of another model .* 1 images.*z\.png"):
        refuse("other")
    manifest.give_up(manifest.find_foreign_rows("other"))
    refuse("other")


def test_a_table_that_is_not_ours_is_refused(task, tmp_path):
    table = tmp_path / "out" / "per_image.csv"
    for begun, match in ((False, "segapp did not write it"), (True, None)):
        manifest = Manifest(tmp_path / "out")
        with pytest.raises(MisuseError, match=match) if not begun else nullcontext():
            refuse_foreign([(task, make_row(task, tmp_path / "out", "m"))], manifest, {table}, [table], "m")
        manifest.begin()  # as a process does that has no image, too


def test_the_fingerprint_is_of_weights_spec_and_kinds(tmp_path):
    weights, bundle = tmp_path / "best.ckpt", tmp_path / "bundle"
    weights.write_bytes(b"1")
    bundle.mkdir()
    (bundle / "net").write_bytes(b"1")
    spec = make_spec()
    mine = compute_fingerprint([weights], spec, ["mask", "overlay"], {})
    assert mine == compute_fingerprint([weights], spec, ["overlay", "mask"], {})
    others = [
        compute_fingerprint([weights], replace(spec, overlap=0.5), ["mask", "overlay"], {}),
        compute_fingerprint([weights], spec, ["mask"], {}),
        compute_fingerprint([weights], spec, ["mask", "overlay"], {"probability_dtype": "uint8"}),
    ]
    weights.write_bytes(b"2")
    others.append(compute_fingerprint([weights], spec, ["mask", "overlay"], {}))
    one = compute_fingerprint([bundle], spec, ["mask"], {})
    (Path(bundle) / "net").write_bytes(b"2")
    others += [one, compute_fingerprint([bundle], spec, ["mask"], {})]
    assert len({mine, *others}) == 7


def test_processes_share_the_images_and_leave_out_what_is_done(tmp_path):
    tasks = []
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"image")
        tasks.append(ImageTask(tmp_path / name, {"mask": tmp_path / "out" / name}, name))
    written(tasks[2])
    manifest = Manifest(tmp_path / "out")
    manifest.add(replace(make_row(tasks[2], tmp_path / "out", "m"), status="done"))
    first = select_images(tasks, tmp_path / "out", [], "m", overwrite=False, rank=0, world_size=2)
    second = select_images(tasks, tmp_path / "out", [], "m", overwrite=False, rank=1, world_size=2)
    assert [task.name for task, _ in first.todo] == ["a.png"]
    assert [task.name for task, _ in second.todo] == ["b.png"]
    assert (first.count, second.count) == (2, 1)
    assert first.existing == {tmp_path / "out" / "c.png"}


def test_of_other_models_only_the_images_that_are_gone_are_given_up(task, tmp_path):
    manifest = Manifest(tmp_path / "out")
    mine = replace(make_row(task, tmp_path / "out", "old"), status="done")
    manifest.add(mine)
    manifest.add(replace(mine, image="gone.png"))
    select_images([task], tmp_path / "out", [], "new", overwrite=True).begin()
    rows = Manifest(tmp_path / "out").rows
    assert (rows["a.png"].status, rows["gone.png"].status) == ("done", "failed")
