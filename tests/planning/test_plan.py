"""What a data set is like, and which decisions follow."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import yaml

from segapp.cli import main
from segapp.errors import MisuseError
from segapp.planning.augmentation import choose_augmentation
from segapp.planning.decisions import Decision, build_config
from segapp.planning.fingerprint import Fingerprint, ImageFacts, _describe_values
from segapp.planning.geometry import PIXELS_PER_STEP, choose_geometry
from segapp.planning.intensity import choose_intensity
from segapp.planning.layout import find_layout
from segapp.planning.machine import Machine
from segapp.planning.masks import MaskValues, infer_meaning
from segapp.planning.names import NameTable, find_names
from segapp.planning.network import list_networks
from segapp.planning.object_sizes import ObjectSizes, measure_objects
from segapp.planning.sampling import choose_loss, choose_sampling
from segapp.planning.schedule import Pace, plan_schedule
from segapp.planning.splitting import choose_split, find_groups, measure_likeness
from segapp.planning.symmetry import Layout, describe_layout, measure_symmetry
from segapp.planning.write import format_plan


def mask_of(*masks):
    values = MaskValues()
    for mask in masks:
        values.add(np.asarray(mask, np.uint8), "mask.png")
    return values


def table(names, *values, colours=None):
    return NameTable(Path("classes.txt"), tuple(names), values or tuple(range(len(names))), colours)


def test_a_later_decision_replaces_an_earlier_one():
    decisions = [Decision("data.crop", 1, "a"), Decision("data.crop", 2, "b"), Decision("name", "x", "")]
    assert build_config(decisions) == {"data": {"crop": 2}, "name": "x"}


def test_the_yaml_of_a_plan_loads_to_its_decisions_with_reasons_as_comments():
    decisions = [
        Decision("name", "mine: #1", ""),
        Decision("data.crop", [256, 256], "images are\n512: pixels " * 20),
        Decision("model.net", {"class_path": "segapp.models.UNet", "init_args": {"widths": [1, 2]}}, "small"),
    ]
    text = format_plan(decisions, "heading\nof two lines")
    assert yaml.safe_load(text) == build_config(decisions)
    assert "  # small" in text.splitlines()
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize(("width", "expected"), [(2, 2.0), (6, 6.0), (20, 20.0)])
def test_the_thickness_of_a_band_is_its_width(width, expected):
    mask = np.zeros((64, 64), np.uint8)
    mask[20 : 20 + width] = 1
    (band,) = measure_objects(mask, background=0)
    assert band.thickness == pytest.approx(expected, abs=0.05)
    assert band.areas.tolist() == [width * 64]
    assert band.extents.tolist() == [64]


def test_sizes_of_a_reduced_mask_are_in_stored_pixels():
    mask = np.zeros((32, 32), np.uint8)
    mask[4:8, 4:12] = 2
    (found,) = measure_objects(mask, background=0, scale=2.0)
    assert (found.areas[0], found.extents[0]) == (128, 16)


def test_values_of_an_image_are_described_as_numpy_does():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mean, variance, histogram = _describe_values(image)
    assert mean == pytest.approx(image.mean((0, 1)) / 255)
    assert variance == pytest.approx(image.var((0, 1)) / 255**2)
    assert histogram == pytest.approx(np.histogram(image, 32, (0, 256))[0] / image.size)


@pytest.mark.parametrize("motion", ["mirror left-right", "mirror up-down"])
def test_sky_over_road_is_safe_to_mirror_only_sideways(motion):
    rng = np.random.default_rng(0)
    layouts = []
    for _ in range(12):
        mask = np.zeros((64, 64), np.uint8)
        mask[int(rng.integers(25, 40)) :] = 1
        image = np.where(mask, 40, 200) + rng.integers(0, 9, (64, 64))
        layouts.append(describe_layout(image.astype(np.float32), mask, 2))
    assert measure_symmetry(layouts, motion).is_safe == (motion == "mirror left-right")


def test_masks_of_0_and_255_are_a_class_over_background():
    meaning = infer_meaning(mask_of([[0, 255], [0, 0]]))
    assert meaning.classes == ("background", "object")
    assert meaning.mask["init_args"] == {"values": {0: 0, 255: 1}}


def test_masks_that_are_photographs_are_refused():
    noise = np.random.default_rng(0).integers(1, 256, (64, 64))
    with pytest.raises(MisuseError, match="photographs"):
        infer_meaning(mask_of(noise))


@pytest.mark.parametrize("empty", [[[0, 0]], [[255, 255]], [[3, 255]]])
def test_masks_of_one_value_hold_nothing_to_learn(empty):
    with pytest.raises(MisuseError, match="nothing to learn"):
        infer_meaning(mask_of(empty, empty))


def test_void_beside_class_numbers_is_ignored():
    meaning = infer_meaning(mask_of([[0, 0, 0, 0, 1, 2, 255]]))
    assert (meaning.mask, meaning.classes) == (None, ("background", "class_1", "class_2"))


def test_grey_levels_with_255_are_asked_back_and_answered_by_names():
    masks = mask_of([[0, 128, 255]])
    with pytest.raises(MisuseError, match="--classes"):
        infer_meaning(masks)
    assert infer_meaning(masks, names=["a", "b", "c"]).mask["init_args"]["values"] == {0: 0, 128: 1, 255: 2}
    assert infer_meaning(masks, names=["a", "b"]).mask["init_args"]["values"] == {0: 0, 128: 1}


def test_a_table_names_values_and_ignores_void():
    meaning = infer_meaning(mask_of([[0, 1, 2]]), table(["sky", "road", "void"]))
    assert meaning.classes == ("sky", "road")
    assert meaning.background is None
    assert meaning.mask["init_args"]["values"] == {2: 255}


def test_numbers_that_vary_and_always_run_from_one_are_those_of_objects():
    masks = mask_of(*(np.repeat(np.arange(n), 4)[None] for n in (3, 9, 5, 7, 4)))
    assert infer_meaning(masks).mask == {"class_path": "segapp.datasets.Instances"}


def test_colours_become_classes_by_their_table():
    masks = mask_of(np.array([[[0, 0, 0], [255, 0, 0], [0, 0, 255]]]))
    known = table(["other", "tree", "void"], colours=((0, 0, 0), (255, 0, 0), (0, 0, 255)))
    meaning = infer_meaning(masks, known)
    assert meaning.classes == ("other", "tree")
    assert meaning.mask["init_args"]["colours"]["ignore"] == [0, 0, 255]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("classes.csv", "value,name\n0,sky\n7,road\n", {0: "sky", 7: "road"}),
        ("class_names.txt", "_background_\ncrack\n", {0: "_background_", 1: "crack"}),
        ("labels.txt", "__ignore__\n_background_\ntv/monitor\n", {0: "_background_", 1: "tv/monitor"}),
        ("dataset.json", '{"labels": {"1": "front", "0": "background"}}', {0: "background", 1: "front"}),
        ("classes.txt", "images/a.png\nimages/b.png\n", None),
    ],
)
def test_class_names_are_read_from_tables(tmp_path, file, text, expected):
    (tmp_path / file).write_text(text)
    found = find_names([tmp_path / "missing", tmp_path])
    assert (found.by_value if found else None) == expected


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([f"patient{p}_slice{s:03}" for p in range(5) for s in range(4)], 5),
        ([f"p{p}/{s}" for p in range(4) for s in range(3)], 4),
        ([f"0001TP_{s}" for s in range(20)], None),
        ([f"cat_{s}" for s in range(9)] + [f"dog_{s}" for s in range(9)] + [f"cow_{s}" for s in range(9)], None),
        ([str(s) for s in range(20)], None),
    ],
)
def test_groups_are_what_names_share_before_a_number(names, groups):
    found = find_groups(names)
    assert (found.groups if found else None) == groups


LAYOUTS = {
    "the same names": ("images/{0}.jpg", "masks/{0}.png", "masks"),
    "a suffix": ("images/{0}.jpg", "masks/{0}_mask.png", "masks/{{stem}}_mask.*"),
    "a prefix": ("images/{0}.jpg", "masks/seg-{0}.png", "masks/seg-{{stem}}.*"),
    "a folder for each image": ("images/{0}.jpg", "masks/{0}/1.png", "masks/{{name}}/*"),
}


@pytest.mark.parametrize(("image", "mask", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_masks_are_found_by_usual_patterns(tmp_path, image, mask, expected):
    for name in ("a", "b1", "c_2"):
        for pattern in (image, mask):
            path = tmp_path / pattern.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path / "images"), str(tmp_path / "masks"))
    assert layout.masks == expected.replace("{{", "{").replace("}}", "}")


def test_folders_of_train_and_val_are_found_from_those_of_train(tmp_path):
    for split in ("train", "valid"):
        for kind in ("img", "ann"):
            (tmp_path / split / kind).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / split / kind / f"{split}.png"), np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path / "train" / "img"), str(tmp_path / "train" / "ann"))
    assert layout.split_folders == {"train": "train", "val": "valid"}
    assert len(layout.find()) == 2


def test_names_that_do_not_agree_are_told(tmp_path):
    for kind, name in (("images", "a"), ("masks", "x")):
        (tmp_path / kind).mkdir()
        cv2.imwrite(str(tmp_path / kind / f"{name}.png"), np.zeros((4, 4), np.uint8))
    with pytest.raises(MisuseError, match=r"x\.png"):
        find_layout(str(tmp_path / "images"), str(tmp_path / "masks"))


def facts(name, size=(64, 64), counts=(90, 10), thumbnail=None, extents=(20,), dtype="uint8", mean=(0.5,)):
    sides = np.array(extents, np.float32)
    objects = ObjectSizes(1, np.square(sides), sides, max(10.0, extents[0] / 10))
    return ImageFacts(
        name=name,
        group=name,
        size=size,
        dtype=dtype,
        is_grey=len(mean) == 1,
        mean=np.array(mean),
        variance=np.full(len(mean), 0.04),
        histogram=np.full(32, 1 / 32),
        counts=np.array(counts),
        ignored=0,
        objects=(objects,),
        layout=Layout(np.zeros((2, 8, 8), np.float32), np.zeros(16, np.float32)),
        thumbnail=np.zeros((4, 4), np.float32) if thumbnail is None else thumbnail,
    )


def fingerprint(*images, background=0):
    return Fingerprint(("background", "object"), background, images, len(images))


def test_neighbours_that_are_alike_are_divided_by_ranges():
    rng = np.random.default_rng(0)
    slices = [rng.random((4, 4)) for _ in range(24)]
    stack = [facts(f"{i}", thumbnail=np.mean(slices[i : i + 4], axis=0)) for i in range(20)]
    assert measure_likeness(stack) > 0.5
    (split,) = choose_split(fingerprint(*stack))
    assert split.value["class_path"] == "segapp.datasets.Contiguous"
    independent = [facts(f"{i}", thumbnail=image) for i, image in enumerate(slices)]
    assert choose_split(fingerprint(*independent))[0].value["class_path"] == "segapp.datasets.Fraction"


def test_a_rare_class_is_stratified_and_a_group_is_named():
    images = [facts(f"p{i // 5}_{i}", counts=(90, 10 * (i < 5))) for i in range(40)]
    group, split = choose_split(fingerprint(*images))
    assert re.search(group.value, "p3_17")[1] == "p3"
    assert split.value["init_args"] == {"val": 0.2, "test": 0.2, "seed": 0, "stratify": True}


@pytest.mark.parametrize(
    ("size", "extents", "sample", "is_reduced", "levels"),
    [
        ((64, 64), (5,), (64, 64), False, 4),  # the whole image
        ((512, 512), (20,), (128, 128), False, 4),  # at least 128
        ((512, 512), (50,), (192, 192), False, 4),  # 4 x 50, to a multiple of 32
        ((512, 512), (300,), (256, 256), False, 6),  # an eighth of a step at most; 8 positions remain
        ((2048, 1024), (900,), (512, 256), True, 6),  # a quarter of a step, whose objects no crop would show half of
    ],
)
def test_sizes_follow_from_images_and_objects(size, extents, sample, is_reduced, levels):
    geometry = choose_geometry(fingerprint(facts("a", size, extents=extents)), "cpu")
    assert (geometry.sample, geometry.is_reduced, geometry.levels) == (sample, is_reduced, levels)


def test_thin_structures_are_never_reduced():
    image = facts("a", (2048, 1024), extents=(900,))
    thin = replace(image, objects=(replace(image.objects[0], thickness=12.0),))
    assert not choose_geometry(fingerprint(thin), "cpu").is_reduced


def test_crops_are_centred_on_what_is_rare_and_it_weighs_more():
    image = facts("a", (512, 512), counts=(99_900, 100))
    one = fingerprint(image)
    oversample, *_ = choose_sampling(one, choose_geometry(one, "cpu"))
    (loss,) = choose_loss(one, deep_supervision=0)
    assert oversample.value == 0.33
    assert loss.value["init_args"]["class_weights"] == [1.0, pytest.approx(np.sqrt(10), abs=0.01)]


def test_a_budget_holds_its_validations_and_ends_with_one():
    schedule = plan_schedule(Pace(step=1.0, validation=10.0), budget=1800, images=40, batch_size=8)
    # (1800 - 15) x 0.95 s less 20 x 10 s are 1495 steps, 74 for each validation: 15 crops of an image, 75 steps
    assert (schedule.epoch, schedule.crops_per_image, schedule.interval) == (75, 15, 75)
    assert schedule.steps == 1425


def test_a_large_set_is_validated_within_its_epochs():
    schedule = plan_schedule(Pace(step=0.1, validation=5.0), budget=1800, images=60_000, batch_size=8)
    assert schedule.crops_per_image == 1
    assert schedule.steps % schedule.interval == 0 and schedule.interval < schedule.epoch == 7500


@pytest.mark.parametrize(("minimum", "kind"), [(-1000, "range"), (0, "percentile")])
def test_values_of_ct_keep_their_meaning(tmp_path, minimum, kind):
    values = np.linspace(minimum, 3000, 64 * 64).reshape(64, 64)
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.int16))
    (decision,) = choose_intensity([tmp_path / "a.tif"])
    assert decision.value["kind"] == kind


@pytest.mark.parametrize(("mean", "turned"), [((0.5,), True), ((0.4, 0.5, 0.6), False)])
def test_few_images_are_mirrored_as_is_usual(mean, turned):
    (augment,) = choose_augmentation(fingerprint(facts("a", mean=mean), facts("b", mean=mean)))
    assert augment.value[0]["init_args"] == {"horizontal": True, "vertical": turned, "turns": False}


@pytest.mark.parametrize(
    ("mean", "dtype", "count", "expected"),
    [
        ((0.4, 0.5, 0.6), "uint8", 100, "SmpEncoder"),
        ((0.4, 0.5, 0.6), "uint8", 5000, "PlainEncoder"),
        ((0.4, 0.5, 0.6), "float32", 100, "PlainEncoder"),
        ((0.5,), "uint8", 100, "PlainEncoder"),
    ],
)
def test_photographs_start_from_weights(monkeypatch, mean, dtype, count, expected):
    monkeypatch.setattr("segapp.planning.network.find_package", lambda: None)
    one = fingerprint(facts("a", mean=mean, dtype=dtype))
    network = list_networks(one, choose_geometry(one, "cpu"), count, "cpu")[0]
    assert network.settings["init_args"]["encoder"]["class_path"].endswith(expected)


def test_without_the_package_a_plan_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("segapp.planning.network.find_package", _raise_missing)
    one = fingerprint(facts("a", mean=(0.4, 0.5, 0.6)))
    assert "segapp[pretrained]" in list_networks(one, choose_geometry(one, "cpu"), 100, "cpu")[0].reason


def _raise_missing():
    raise MisuseError("not installed")


@pytest.fixture
def discs(tmp_path):
    """Ten grey images of 96 x 96 pixels with bright discs, and masks of 0 and 255."""
    rng = np.random.default_rng(0)
    for folder in ("photos", "labels"):
        (tmp_path / folder).mkdir()
    for _ in range(10):
        mask = np.zeros((96, 96), np.uint8)
        for _ in range(5):
            cv2.circle(mask, rng.integers(10, 86, 2).tolist(), int(rng.integers(5, 12)), 255, -1)
        image = mask // 2 + rng.integers(0, 60, mask.shape, dtype=np.uint8)
        name = f"{rng.integers(10**6)}.png"
        cv2.imwrite(str(tmp_path / "photos" / name), image)
        cv2.imwrite(str(tmp_path / "labels" / name), mask)
    return tmp_path


def plan(folder, *options):
    words = ["--images", folder / "photos", "--masks", folder / "labels", "--output", folder / "mine.yaml"]
    return main(["plan", *map(str, words), *options])


@pytest.mark.slow
def test_the_two_commands_train(discs, monkeypatch):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    monkeypatch.chdir(discs)
    assert plan(discs) == 0
    config = yaml.safe_load((discs / "mine.yaml").read_text())
    assert config["data"]["source"]["init_args"]["classes"] == ["background", "object"]
    assert config["data"]["crop"] == [96, 96]
    assert config["trainer"]["max_steps"] > 100
    limits = ["--trainer.max_steps", "1", "--trainer.limit_val_batches", "1"]
    assert main(["fit", "--config", "mine.yaml", *limits]) == 0
    assert list(discs.glob("runs/mine/*/checkpoints/last.ckpt"))


@pytest.mark.slow
def test_a_data_section_is_kept_and_the_rest_decided(discs, monkeypatch):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    settings = {"root": str(discs), "images": "photos", "masks": "labels", "classes": ["empty", "disc"]}
    settings["mask"] = {"class_path": "segapp.datasets.Indices", "init_args": {"values": {0: 0, 255: 1}}}
    source = {"class_path": "segapp.datasets.Folder", "init_args": settings}
    (discs / "data.yaml").write_text(yaml.safe_dump({"source": source, "batch_size": 99}))
    options = ["--data", str(discs / "data.yaml"), "--output", str(discs / "mine.yaml")]
    assert main(["plan", *options]) == 0
    config = yaml.safe_load((discs / "mine.yaml").read_text())
    assert config["data"]["source"]["init_args"].items() >= settings.items()
    assert config["data"]["batch_size"] != 99
    assert "What a sample sees" in (discs / "mine.html").read_text()


@pytest.mark.slow
def test_an_unreadable_image_is_left_out_by_name(discs, monkeypatch):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    broken = sorted((discs / "photos").iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:300])
    assert plan(discs) == 0
    config = yaml.safe_load((discs / "mine.yaml").read_text())
    assert config["data"]["source"]["init_args"]["exclude"] == [broken.stem]


def test_a_plan_that_exists_is_kept(discs, capsys):
    (discs / "mine.yaml").write_text("mine")
    assert plan(discs) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (discs / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--budget", "soon"], "--budget"), (["--budget", "1s"], "--budget"), (["--masks", ""], "--masks")],
)
def test_what_cannot_be_planned_is_told_before_any_training(discs, monkeypatch, capsys, options, told):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    assert plan(discs, *options) == 2
    assert told in capsys.readouterr().err
    assert not (discs / "mine.yaml").exists()


def test_two_images_are_too_few(discs, capsys):
    for folder in ("photos", "labels"):
        for path in sorted((discs / folder).iterdir())[2:]:
            path.unlink()
    assert plan(discs) == 2
    assert "too few" in capsys.readouterr().err


def test_too_little_memory_is_told(discs, monkeypatch, capsys):
    tiny = Machine("cpu", "a small machine", memory=2**20, main_memory=2**20, cores=1)
    monkeypatch.setattr("segapp.commands.plan.look_at_machine", lambda: tiny)
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 128**2)
    assert plan(discs) == 2
    assert "a small machine" in capsys.readouterr().err
