"""`segapp predict`: every image becomes its files, or one line; nothing is lost and nothing left half."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.cli import main
from segapp.commands import predict as command
from segapp.commands.predict import predict
from segapp.errors import MisuseError
from segapp.inference import Engine
from segapp.io import read_raw
from segapp.spec import Intensity
from tests.inference.checkpoints import make_spec, write_checkpoint

ALLOWED = ["tests.inference.checkpoints"]


@pytest.fixture
def run(tmp_path):
    """Predict with a network that finds bright pixels, from `images` to `out`."""
    checkpoint = write_checkpoint(tmp_path / "best.ckpt")
    (tmp_path / "images").mkdir()

    def run(save=("mask",), **options):
        settings = {"ckpt_path": str(checkpoint), "images": str(tmp_path / "images"), "output": str(tmp_path / "out")}
        return predict(**(settings | {"save": list(save), "device": "cpu", "allow": ALLOWED} | options))

    return run


def scene(height, width, seed=0):
    """(H, W, 3) uint8 with bright discs, and where they are."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((height, width), np.uint8)
    for _ in range(5):
        centre = int(rng.integers(0, width)), int(rng.integers(0, height))
        cv2.circle(truth, centre, int(rng.integers(2, 3 + min(height, width) // 4)), 1, -1)
    pixels = np.where(truth[..., None] == 1, 220, 30) + rng.integers(-20, 20, (height, width, 3))
    return pixels.astype(np.uint8), truth


def put(folder, name, pixels):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    else:
        PIL.Image.fromarray(pixels).save(path, quality=95)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


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
    assert files(tmp_path / "out") == ["a.png", "b.png", "sub/c.tif", "sub/deep/d.png"]
    for name, (_, truth) in scenes.items():
        path = (tmp_path / "out" / name).with_suffix(".tif" if name.endswith("tif") else ".png")
        found = read_raw(path)
        assert found.dtype == np.uint8
        assert found.shape == truth.shape
        assert (found != truth).mean() < (0.01 if name.endswith("jpg") else 1e-9)
    said = capsys.readouterr().out
    assert "4 of 4 images" in said
    assert "0 background, 1 cell" in said
    assert "next:" in said


def test_masks_are_palette_pngs(run, tmp_path):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    run()
    with PIL.Image.open(tmp_path / "out" / "a.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[:6] == [0, 0, 0, 60, 200, 90]


def test_grey_images_suit_a_network_of_three_channels(run, tmp_path):
    pixels, truth = scene(40, 50)
    put(tmp_path / "images", "a.png", pixels[..., 0].copy())
    assert run() == 0
    assert (read_raw(tmp_path / "out" / "a.png") == truth).all()


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
    assert files(tmp_path / "out") == ["0.png", "1.png", "3.png", "4.png.png", "5.png"]
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert [next(name for name in ("2.png", "4.tif", "empty.jpg") if name in line) for line in lines] == [
        "2.png",
        "4.tif",
        "empty.jpg",
    ]
    assert "5 channels, but 3" in lines[1]
    assert "5 of 8 images" in captured.out


def test_nothing_is_overwritten_unless_asked(run, tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        put(tmp_path / "images", name, scene(40, 50)[0])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_text("precious")
    with monkeypatch.context() as patch:
        patch.setattr(command, "open_networks", lambda *_: pytest.fail("work began"))
        with pytest.raises(MisuseError, match="--overwrite"):
            run()
    assert files(tmp_path / "out") == ["b.png"]
    assert (tmp_path / "out" / "b.png").read_text() == "precious"
    assert run(overwrite=True) == 0
    assert files(tmp_path / "out") == ["a.png", "b.png"]
    assert read_raw(tmp_path / "out" / "b.png").shape == (40, 50)


@pytest.mark.parametrize("moment", [Engine.segment, command.write_mask], ids=["computing", "writing"])
def test_an_interrupt_leaves_whole_files_only(run, tmp_path, monkeypatch, capsys, moment):
    for index in range(12):
        put(tmp_path / "images", f"{index:02}.png", scene(40, 50, index)[0])
    calls = []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return moment(*arguments)

    owner = Engine if moment is Engine.segment else command
    monkeypatch.setattr(owner, moment.__name__, interrupted)
    assert run() == 130
    written = files(tmp_path / "out")
    assert written
    assert len(written) < 12
    assert all(not Path(name).name.startswith(".") for name in written)
    for name in written:
        assert read_raw(tmp_path / "out" / name).shape == (40, 50)
    assert "every file written is whole" in capsys.readouterr().err


def test_a_crash_while_writing_leaves_no_half_file(run, tmp_path, capsys):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    put(tmp_path / "images", "b.png", scene(40, 50)[0])
    (tmp_path / "out" / "a.png").mkdir(parents=True)  # a folder where the mask should go
    assert run(overwrite=True) == 1
    assert files(tmp_path / "out") == ["b.png"]
    assert "a.png" in capsys.readouterr().err


def test_large_images_are_read_by_windows_and_masks_stay_the_same(run, tmp_path, monkeypatch):
    for name, size in {"a.tif": (300, 200), "b.png": (300, 200)}.items():
        put(tmp_path / "images", name, scene(*size)[0])
    assert run() == 0
    monkeypatch.setattr(command, "AHEAD_PIXELS", 1)
    assert run(output=str(tmp_path / "again")) == 0
    for name in ("a.tif", "b.png"):
        assert (read_raw(tmp_path / "out" / name) == read_raw(tmp_path / "again" / name)).all()


def test_windows_overlap_and_batch_can_be_chosen_and_change_no_local_decision(run, tmp_path):
    pixels, truth = scene(300, 211)
    put(tmp_path / "images", "a.png", pixels)
    for number, options in enumerate(
        [{"window": 48}, {"overlap": 0.75}, {"batch_size": 5}, {"window": 1024}, {"precision": "32-true"}]
    ):
        out = tmp_path / f"out{number}"
        assert run(output=str(out), **options) == 0
        assert (read_raw(out / "a.png") == truth).all()


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
def test_what_cannot_be_done_is_said_before_any_work(run, tmp_path, options, message):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    with pytest.raises(MisuseError, match=message):
        run(**options)
    assert not (tmp_path / "out").exists()


def test_a_network_gone_wild_is_reported_with_the_image(run, tmp_path, capsys):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    checkpoint = write_checkpoint(tmp_path / "wild.ckpt", level=float("nan"))
    assert run(ckpt_path=str(checkpoint)) == 1
    assert "a.png: the network gives values that are not finite" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*"))


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
    assert main(call("--save mask --save overlay").split()) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(call("--save masks").split()) == 2
    (tmp_path / "images" / "b.png").write_bytes(b"")
    assert main(call("--save mask --save overlay --overwrite true").split()) == 1
