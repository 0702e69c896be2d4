"""`segapp predict`: every image becomes its files, or one line; nothing is lost and nothing left half."""

import os
import struct
import subprocess
import sys
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segapp.cli import main
from segapp.errors import MisuseError
from segapp.io import read_raw, read_table
from segapp.prediction import pipeline
from segapp.prediction.manifest import Manifest
from segapp.spec import Intensity
from tests.inference.checkpoints import make_spec, write_checkpoint
from tests.prediction.predicting import ALLOWED, files, make_run, put, scene, table


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_every_size_and_format_becomes_a_mask_of_its_size(run, tmp_path, capsys):
    scenes = {
        "a.png": scene(37, 50, 1),
        "b.jpg": scene(300, 211, 2),
        "sub/c.tif": scene(64, 64, 3),
        "sub/deep/d.bmp": scene(1, 90, 4),
    }
    for name, (pixels, _) in scenes.items():
        put(tmp_path / "images", name, pixels)
    assert run() == 0
    assert files(tmp_path / "out") == ["mask/a.png", "mask/b.png", "mask/sub/c.tif", "mask/sub/deep/d.png"]
    for name, (_, truth) in scenes.items():
        path = (tmp_path / "out" / "mask" / name).with_suffix(".tif" if name.endswith("tif") else ".png")
        found = read_raw(path)
        assert found.dtype == np.uint8
        assert found.shape == truth.shape
        assert (found != truth).mean() < (0.01 if name.endswith("jpg") else 1e-9)
    said = capsys.readouterr().out
    assert "4 of 4 images" in said
    assert "0 background, 1 cell" in said
    assert "next:" in said


def test_grey_images_suit_a_network_of_three_channels(run, tmp_path):
    pixels, truth = scene(40, 50)
    put(tmp_path / "images", "a.png", pixels[..., 0].copy())
    assert run() == 0
    assert (read_raw(tmp_path / "out" / "mask" / "a.png") == truth).all()


def test_sixteen_bit_images_are_read_as_the_spec_says(run, tmp_path):
    spec = make_spec(channels=1, intensity=Intensity("range", 0, 4000))
    checkpoint = write_checkpoint(tmp_path / "deep.ckpt", spec)
    truth = np.eye(40, 90, dtype=np.uint8)
    put(tmp_path / "images", "a.tif", np.where(truth == 1, 3500, 200).astype(np.uint16))
    assert run(ckpt_path=str(checkpoint), save=["mask", "overlay"]) == 0
    assert (read_raw(tmp_path / "out" / "mask" / "a.tif") == truth).all()
    assert read_raw(tmp_path / "out" / "overlay" / "a.png").shape == (40, 90, 3)


def test_several_kinds_lie_in_their_own_folders(run, tmp_path):
    pixels, truth = scene(200, 150)
    put(tmp_path / "images", "sub/a.png", pixels)
    assert run(["mask", "overlay", "probability"]) == 0
    out = tmp_path / "out"
    assert files(out) == ["mask/sub/a.png", "overlay/sub/a.png", "probability/sub/a.npy"]
    chances = np.load(out / "probability" / "sub" / "a.npy", allow_pickle=False)
    assert chances.shape == (2, 200, 150)
    assert chances.dtype == np.float16
    assert (chances.argmax(0) == truth).all()
    assert np.allclose(chances.sum(0, dtype=np.float32), 1, atol=2e-3)
    drawn = read_raw(out / "overlay" / "sub" / "a.png")
    assert (drawn[truth == 0] == pixels[truth == 0]).all()
    assert (drawn[truth == 1] != pixels[truth == 1]).any()


def test_a_broken_image_is_one_line_and_the_rest_is_done(run, tmp_path, capsys):
    images = tmp_path / "images"
    for index in range(6):
        put(images, f"{index}.png", scene(40, 50, index)[0])
    (images / "2.png").write_bytes((images / "2.png").read_bytes()[:200])
    put(images, "4.tif", np.zeros((40, 50, 5), np.uint8))
    (images / "empty.jpg").touch()
    assert run() == 1
    assert files(tmp_path / "out") == ["mask/0.png", "mask/1.png", "mask/3.png", "mask/4.png.png", "mask/5.png"]
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert [next(name for name in ("2.png", "4.tif", "empty.jpg") if name in line) for line in lines] == [
        "2.png",
        "4.tif",
        "empty.jpg",
    ]
    assert "has 5 channels, but the network was trained on images of 3" in lines[1]
    assert "5 of 8 images" in captured.out


def test_nothing_is_overwritten_unless_asked(run, tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        put(tmp_path / "images", name, scene(40, 50)[0])
    (tmp_path / "out" / "mask").mkdir(parents=True)
    (tmp_path / "out" / "mask" / "b.png").write_text("precious")
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "ImageOutputs", lambda *_: pytest.fail("work began"))
        with pytest.raises(MisuseError, match="--overwrite"):
            run()
    assert files(tmp_path / "out") == ["mask/b.png"]
    assert (tmp_path / "out" / "mask" / "b.png").read_text() == "precious"
    assert run(overwrite=True) == 0
    assert files(tmp_path / "out") == ["mask/a.png", "mask/b.png"]
    assert read_raw(tmp_path / "out" / "mask" / "b.png").shape == (40, 50)


def test_windows_overlap_and_batch_can_be_chosen_and_change_no_local_decision(run, tmp_path):
    pixels, truth = scene(300, 211)
    put(tmp_path / "images", "a.png", pixels)
    for number, options in enumerate(
        [{"window": 48}, {"overlap": 0.75}, {"batch_size": 5}, {"window": 1024}, {"precision": "32-true"}]
    ):
        out = tmp_path / f"out{number}"
        assert run(output=str(out), **options) == 0
        assert (read_raw(out / "mask" / "a.png") == truth).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "nowhere"}, "no folder or image nowhere"),
        ({"ckpt_path": "http://x/a.ckpt"}, "read from this machine only"),
        ({"ckpt_path": "nowhere.ckpt"}, "no checkpoint nowhere.ckpt"),
        ({"batch_size": 0}, "batch_size"),
        ({"window": 0}, "window"),
        ({"overlap": 1.0}, "overlap"),
        ({"allow": []}, "--allow"),
    ],
)
def test_what_cannot_be_done_is_reported_before_any_work(run, tmp_path, options, message):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    with pytest.raises(MisuseError, match=message):
        run(**options)
    assert not (tmp_path / "out").exists()


def test_a_network_gone_wild_is_reported_with_the_image(run, tmp_path, capsys):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    checkpoint = write_checkpoint(tmp_path / "wild.ckpt", level=float("nan"))
    assert run(ckpt_path=str(checkpoint)) == 1
    assert "a.png: the network returns values that are not finite" in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_the_command_line_reaches_it_all(tmp_path, capsys):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    checkpoint = write_checkpoint(tmp_path / "best.ckpt")
    call = partial(
        "predict --ckpt_path {} --images {} --output {} --allow {} --device cpu {}".format,
        checkpoint,
        tmp_path / "images",
        tmp_path / "out",
        *ALLOWED,
    )
    assert main(call("--save mask --save overlay").split()) == 0
    assert files(tmp_path / "out") == ["mask/a.png", "overlay/a.png"]
    capsys.readouterr()
    assert main(call("--save mask --save overlay").split()) == 0
    assert "1 of 1 images are done already" in capsys.readouterr().out
    assert main(call("--save mask --save overlay --window 48").split()) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(call("--save masks").split()) == 2
    (tmp_path / "images" / "b.png").write_bytes(b"")
    assert main(call("--save mask --save overlay --overwrite true").split()) == 1


def test_what_changed_is_done_again_and_the_rest_is_not(run, tmp_path, capsys):
    for name in ("a.png", "b.png", "c.png"):
        put(tmp_path / "images", name, scene(40, 50)[0])
    assert run() == 0
    untouched = {name: (tmp_path / "out" / "mask" / name).stat().st_mtime_ns for name in ("a.png", "b.png", "c.png")}
    (tmp_path / "out" / "mask" / "a.png").unlink()
    put(tmp_path / "images", "b.png", scene(60, 70)[0])
    put(tmp_path / "images", "d.png", scene(30, 30)[0])
    capsys.readouterr()
    assert run() == 0
    assert "1 of 4 images are done already" in capsys.readouterr().out
    assert files(tmp_path / "out") == ["mask/a.png", "mask/b.png", "mask/c.png", "mask/d.png"]
    assert (tmp_path / "out" / "mask" / "c.png").stat().st_mtime_ns == untouched["c.png"]
    assert read_raw(tmp_path / "out" / "mask" / "b.png").shape == (60, 70)
    assert [(row["image"], row["height"]) for row in table(tmp_path / "out")] == [
        ("a.png", "40"),
        ("b.png", "60"),
        ("c.png", "40"),
        ("d.png", "30"),
    ]


def test_another_model_or_other_settings_are_refused_before_any_work(run, tmp_path):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    assert run() == 0
    before = (tmp_path / "out" / "mask" / "a.png").read_bytes()
    other = write_checkpoint(tmp_path / "other.ckpt", level=200.0)
    for options in ({"ckpt_path": str(other)}, {"window": 48}):
        with pytest.raises(MisuseError, match=r"1 of 1 files .* by another model or with other settings"):
            run(**options)
    assert (tmp_path / "out" / "mask" / "a.png").read_bytes() == before
    assert run(ckpt_path=str(other), overwrite=True) == 0
    with pytest.raises(MisuseError, match="another model"):
        run()


def test_where_an_image_fails_an_older_mask_beside_the_new_ones_is_named(run, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        put(tmp_path / "images", name, scene(40, 50)[0])
    assert run() == 0
    (tmp_path / "images" / "b.png").write_bytes(b"")
    capsys.readouterr()
    other = write_checkpoint(tmp_path / "other.ckpt", level=200.0)
    assert run(ckpt_path=str(other), overwrite=True) == 1
    assert f"An older {tmp_path / 'out/mask/b.png'} stays." in capsys.readouterr().err


def test_images_of_another_folder_do_not_replace_masks_of_the_same_name(run, tmp_path):
    put(tmp_path / "images", "001.png", scene(40, 50)[0])
    put(tmp_path / "tuesday", "001.png", scene(40, 50, 1)[0])
    assert run() == 0
    before = (tmp_path / "out/mask/001.png").read_bytes()
    with pytest.raises(MisuseError, match="1 of 1 files to write exist already"):
        run(images=str(tmp_path / "tuesday"))
    assert (tmp_path / "out/mask/001.png").read_bytes() == before
    (tmp_path / "images").rename(tmp_path / "moved")
    assert run(images=str(tmp_path / "moved")) == 0


def test_tables_of_other_programs_are_not_replaced(run, tmp_path):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    (tmp_path / "out").mkdir()
    for name, save in (("coco.json", ["coco"]), ("per_image.csv", ["mask"])):
        (tmp_path / "out" / name).write_text("precious")
        with pytest.raises(MisuseError, match=rf"{name} exists already"):
            run(save)
        assert (tmp_path / "out" / name).read_text() == "precious"
        (tmp_path / "out" / name).unlink()


def test_other_kinds_with_other_settings_are_not_mixed_in(run, tmp_path):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    assert run() == 0
    with pytest.raises(MisuseError, match="another model"):
        run(["contours"], min_object=["cell=5000"])
    assert run(["contours"], min_object=["cell=5000"], overwrite=True) == 0


def test_devices_and_rank_are_not_both_obeyed(run, tmp_path, monkeypatch):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(MisuseError, match="leave --devices out"):
        run(devices=2)


def test_a_failed_image_is_tried_again(run, tmp_path):
    whole = tmp_path / "images" / "b.png"
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    put(tmp_path / "images", "b.png", scene(40, 50)[0])
    content = whole.read_bytes()
    whole.write_bytes(content[:100])
    assert run() == 1
    whole.write_bytes(content)
    assert run() == 0
    assert files(tmp_path / "out") == ["mask/a.png", "mask/b.png"]


KILLED = """
import os, sys
from segapp.commands.predict import predict
from segapp.prediction.outputs import ImageOutputs
write, calls, wanted, moment = ImageOutputs.write, [], int(sys.argv[4]), sys.argv[5]
def killed(self):
    calls.append(1)
    if moment == "after":
        write(self)
    if len(calls) >= wanted:  # two writers may have counted before either looks
        os.kill(os.getpid(), 9)
    if moment == "before":
        write(self)
ImageOutputs.write = killed
predict(sys.argv[1], sys.argv[2], sys.argv[3], ["mask", "coco"], device="cpu", allow=["tests.inference.checkpoints"])
"""


@pytest.mark.slow
def test_a_run_killed_three_times_ends_with_the_files_of_an_undisturbed_one(run, tmp_path):
    for index in range(60):  # more than three runs can have done, with what is under way when each is killed
        put(tmp_path / "images", f"{index % 3}/{index:02}.png", scene(40, 50 + index, index)[0])
    assert run(["mask", "coco"]) == 0
    arguments = [str(tmp_path / "best.ckpt"), str(tmp_path / "images"), str(tmp_path / "killed")]
    for wanted, moment in ((1, "before"), (9, "after"), (5, "before")):
        words = [sys.executable, "-c", KILLED, *arguments, str(wanted), moment]
        died = subprocess.run(words, capture_output=True, cwd=Path(__file__).parents[2])
        assert died.returncode == -9, died.stderr.decode()
    assert run(["mask", "coco"], output=str(tmp_path / "killed")) == 0
    for name in [*files(tmp_path / "out"), "per_image.csv"]:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name
    left = [name for name in files(tmp_path / "killed") if not Path(name).name.startswith(".")]
    assert left == files(tmp_path / "out")


@pytest.mark.slow
def test_several_processes_share_a_folder_and_do_no_image_twice(run, tmp_path, capfd, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # where the processes find the network of these tests
    for index in range(7):
        put(tmp_path / "images", f"{index}.png", scene(40, 50, index)[0])
    (tmp_path / "images" / "5.png").write_bytes(b"broken")
    assert run(["mask", "coco"]) == 1
    assert run(["mask", "coco"], output=str(tmp_path / "two"), devices=2, flag_uncertain=2) == 1
    assert "look at these first" in capfd.readouterr().out
    parts = sorted(path.name for path in (tmp_path / "two").glob("manifest*"))
    assert parts == ["manifest-0-of-2.csv", "manifest-1-of-2.csv"]
    done = [line for part in parts for line in (tmp_path / "two" / part).read_text().splitlines() if ",done," in line]
    assert sorted(line.split(",")[0] for line in done) == [f"{index}.png" for index in range(7) if index != 5]
    for name in [*files(tmp_path / "out"), "per_image.csv"]:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert run(["mask", "coco"], output=str(tmp_path / "two")) == 1  # one process goes on where two were


def test_a_share_is_every_so_manieth_image(run, tmp_path, monkeypatch):
    for index in range(5):
        put(tmp_path / "images", f"{index}.png", scene(40, 50, index)[0])
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, shares in (("1", ["mask/1.png", "mask/3.png"]), ("0", [f"mask/{index}.png" for index in range(5)])):
        monkeypatch.setenv("RANK", rank)
        assert run() == 0
        assert [name for name in files(tmp_path / "out") if name.endswith("png")] == shares
    assert len(table(tmp_path / "out")) == 5
    for rank in ("2", "-1", "one", ""):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(MisuseError, match=f"RANK={rank} "):
            run()
    monkeypatch.delenv("RANK")
    with pytest.raises(MisuseError, match="RANK=None"):
        run()


def test_a_name_once_given_stays_that_image_s(run, tmp_path, capsys):
    put(tmp_path / "images", "x.jpg", scene(40, 50)[0])
    assert run() == 0
    before = (tmp_path / "out/mask/x.png").read_bytes()
    put(tmp_path / "images", "x.png", scene(60, 70, 1)[0])
    capsys.readouterr()
    assert run() == 0
    assert "x.png becomes x.png.png" in capsys.readouterr().out
    assert files(tmp_path / "out") == ["mask/x.png", "mask/x.png.png"]
    assert (tmp_path / "out/mask/x.png").read_bytes() == before
    assert read_raw(tmp_path / "out/mask/x.png.png").shape == (60, 70)
    (tmp_path / "images" / "x.jpg").unlink()  # its mask stays, under its name
    put(tmp_path / "images", "x.bmp", scene(30, 30)[0])
    assert run() == 0
    assert files(tmp_path / "out") == ["mask/x.bmp.png", "mask/x.png", "mask/x.png.png"]
    assert (tmp_path / "out/mask/x.png").read_bytes() == before


def test_the_output_says_nothing_of_where_it_was_made(run, tmp_path, monkeypatch):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    (tmp_path / "images" / "b.png").write_bytes(b"broken")
    (tmp_path / "images" / "c.png").write_bytes(b"")
    assert run(["mask", "coco", "contours"]) == 1
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes(), path
    (tmp_path / "moved").mkdir()
    for name in ("images", "out"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    monkeypatch.chdir(tmp_path / "moved")
    assert run(["mask", "coco", "contours"], images="images", output="out") == 1
    assert Manifest(Path("out")).rows["a.png"].status == "done"


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg", "tif"])
def test_dots_per_inch_are_no_measurement_in_any_format(run, tmp_path, suffix):
    for dpi in (72, 120, 180, 300, 1200):
        PIL.Image.fromarray(scene(40, 50)[0]).save(tmp_path / "images" / f"{dpi}.{suffix}", dpi=(dpi, dpi))
    assert run() == 0
    assert not any("area" in column or column == "unit" for row in table(tmp_path / "out") for column in row)


def test_an_output_that_cannot_be_written_is_reported_once(run, tmp_path):
    (tmp_path / "file").touch()
    for index in range(3):
        put(tmp_path / "images", f"{index}.png", scene(40, 50)[0])
    with pytest.raises(MisuseError, match=r"nothing can be written to .*file/out \(.*\); name another --output"):
        run(output=str(tmp_path / "file" / "out"))


def test_what_is_no_regular_file_is_named_and_the_rest_is_done(run, tmp_path, capsys):
    """A pipe hung, a link to itself ended the run, a header of 40,000 million pixels took all memory."""
    images = tmp_path / "images"
    put(images, "a.png", scene(40, 50)[0])
    os.mkfifo(images / "pipe.png")
    (images / "loop.png").symlink_to("loop.png")
    (images / "gone.png").symlink_to("nowhere.png")
    content = bytearray((images / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 200_000, 200_000)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    (images / "bomb.png").write_bytes(bytes(content))
    assert run() == 1
    said = capsys.readouterr().err
    for name in ("pipe.png: a named pipe", "loop.png: a link", "gone.png: a link", "bomb.png: 200000 x 200000"):
        assert name in said
    assert files(tmp_path / "out") == ["mask/a.png"]


def test_formats_that_are_not_read_are_counted_and_named(run, tmp_path, capsys):
    images = tmp_path / "images"
    put(images, "a.png", scene(40, 50)[0])
    for name in ("b\x1b[2J.heic", "deep/c.HEIC", "d.csv.gz", ".hidden.heic"):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).write_bytes(b"x")
    assert run() == 0
    said = capsys.readouterr().err
    assert "2 .heic, 1 .gz" in said and r"b\x1b[2J.heic" in said and "hidden" not in said
    (images / "a.png").unlink()
    with pytest.raises(MisuseError, match=r"no image in .*2 \.heic, 1 \.gz"):
        run()


def test_names_that_are_no_text_are_predicted_and_escaped(run, tmp_path, capsys):
    """A folder of a ZIP that was made on Windows: file names are bytes, not UTF-8."""
    name = os.fsdecode(b"caf\xe9.png")
    put(tmp_path / "images", name, scene(40, 50)[0])
    assert run(save=("mask", "contours", "coco"), flag_uncertain=1) == 0
    assert (tmp_path / "out" / "mask" / name).is_file() and (tmp_path / "out" / "contours").is_dir()
    assert "caf\\udce9.png" in capsys.readouterr().out
    assert read_table(tmp_path / "out" / "per_image.csv")[0]["image"] == name
    assert run(save=("mask", "contours", "coco")) == 0
    assert "1 of 1 images are done already" in capsys.readouterr().out
