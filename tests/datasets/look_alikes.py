"""Small data sets with the layouts and quirks of real ones, drawn into a folder; one function per YAML fragment.

`write(name, root)` draws the set of `configs/data/<name>.yaml`. Images are blobs on noise that a network can learn.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image

SIZE = 64


def write(name: str, root: Path) -> Path:
    """Draw the look-alike of data set `name` into root/name, and return that folder."""
    folder = root / name
    DRAW[name](folder, np.random.default_rng(0))
    return folder


def isbi2012_em(root: Path, rng: np.random.Generator) -> None:
    """Numbered grey slices, masks 0 (membrane) and 255; 10 sorts after 9."""
    for i in range(12):
        image, blob = picture(rng)
        save(root / f"train/image/{i}.png", image[..., 0])
        save(root / f"train/label/{i}.png", np.where(blob, 255, 0).astype(np.uint8))
    save(root / "test_unlabelled/0.png", picture(rng)[0][..., 0])


def camvid(root: Path, rng: np.random.Generator) -> None:
    """Indices 0 … 10 with 11 = void; lists with the absolute paths of another machine."""
    for split, count in (("train", 8), ("val", 4)):
        lines = []
        for i in range(count):
            image, blob = picture(rng, 48, SIZE)
            mask = np.where(blob, rng.integers(11), 3).astype(np.uint8)
            mask[:4] = 11
            mask[-11:, 0] = np.arange(11)
            save(root / split / f"000{i}_{split}.png", image)
            save(root / f"{split}annot" / f"000{i}_{split}.png", mask)
            lines.append(f"/SegNet/CamVid/{split}/000{i}_{split}.png /SegNet/CamVid/{split}annot/000{i}_{split}.png")
        (root / f"{split}.txt").write_text("\n".join(lines) + "\n")
    (root / "classes.csv").write_text("value,name\n0,sky\n")


def dsb2018_nuclei(root: Path, rng: np.random.Generator) -> None:
    """RGBA images of several sizes with a constant alpha; one 0/255 PNG per nucleus, the first two touching."""
    for i in range(10):
        size = SIZE + 16 * (i % 3)
        image = rng.integers(0, 40, (size, SIZE, 4)).astype(np.uint8)
        image[..., 3] = 255
        folder = root / "stage1_train" / f"{i:02d}ab{i}"
        for j, (y, x) in enumerate([(8, 8), (8, 20), (40, 30)]):
            mask = np.zeros((size, SIZE), np.uint8)
            mask[y : y + 12, x : x + 12] = 255
            image[mask > 0, :3] += 150
            save(folder / "masks" / f"{j}f{i}.png", mask)
        save(folder / "images" / f"{folder.name}.png", image)


def covid_cxr_lungs(root: Path, rng: np.random.Generator) -> None:
    """JPEG and PNG; grey, RGB and RGBA; many sizes; patients with several images; masks 0/255 by stem."""
    names = [f"case-{i}.jpg" for i in range(6)] + [f"pneumococcal-pneumonia-day{d}.jpg" for d in (0, 7)]
    names += ["grey-1.jpg", "rgba-2.png", "pneumocystis-pneumonia-2-PA.png"]
    for i, name in enumerate(names):
        image, blob = picture(rng, SIZE + 3 * i, SIZE + 5 * i)
        if name == "grey-1.jpg":
            image = image[..., 0]
        if name.endswith(".png"):
            alpha = np.full(blob.shape, 255, np.uint8)
            alpha[0, 0] = 255 if name == "rgba-2.png" else 12
            image = np.dstack([image, alpha])
        save(root / "images" / name, image)
        save(root / "lung_masks" / f"{Path(name).stem}.png", np.where(blob, 255, 0).astype(np.uint8))
        for j, lung in enumerate(["left_lung", "right_lung"]):
            half = blob.copy()
            half[:, j * 32 : j * 32 + 32] = False
            save(root / "masks" / lung / f"{Path(name).stem}.png", np.where(half, 255, 0).astype(np.uint8))


def concrete_damage_voc(root: Path, rng: np.random.Generator) -> None:
    """JPEG images, palette PNG masks, lists of bare names."""
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for i in range(10):
        image, blob = picture(rng)
        mask = np.where(blob, 1 + i % 2, 0).astype(np.uint8)
        name = f"2022_{i}"
        save(root / "JPEGImages" / f"{name}.jpg", image)
        save_palette(root / "SegmentationClass" / f"{name}.png", mask)
        lists["train" if i < 7 else "val"].append(name)
    for split, names in lists.items():
        file = root / "ImageSets/Segmentation" / f"{split}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(names) + "\n")


def mine(root: Path, rng: np.random.Generator) -> None:
    """What a person starts with: images and index masks of the same names, one sub-folder."""
    for i in range(10):
        image, blob = picture(rng)
        write_pair(root, f"day1/{i}" if i < 3 else f"{i}", image, blob.astype(np.uint8))


DRAW: dict[str, Callable[[Path, np.random.Generator], None]] = {
    draw.__name__: draw for draw in (isbi2012_em, camvid, dsb2018_nuclei, covid_cxr_lungs, concrete_damage_voc, mine)
}


def picture(rng: np.random.Generator, height: int = SIZE, width: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """A bright ellipse on noise: (H, W, 3) uint8, and where it is: (H, W) bool."""
    y, x = np.mgrid[:height, :width]
    radius = rng.uniform(0.2, 0.4) * min(height, width)
    centre = rng.uniform(0.35, 0.65, 2) * (height, width)
    blob = (y - centre[0]) ** 2 + 1.5 * (x - centre[1]) ** 2 < radius**2
    image = rng.integers(20, 100, (height, width, 3)) + 100 * blob[..., None]
    return image.astype(np.uint8), blob


def write_pair(root: Path, name: str, image: np.ndarray, mask: np.ndarray) -> None:
    """images/<name>.png and masks/<name>.png."""
    save(root / "images" / f"{name}.png", image)
    save(root / "masks" / f"{name}.png", mask)


def save(path: Path, pixels: np.ndarray) -> None:
    """(H, W) or (H, W, C) uint8, in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def save_palette(path: Path, indices: np.ndarray) -> None:
    """A palette PNG, as Pascal VOC's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = PIL.Image.fromarray(indices, "L")
    file.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    file.save(path)
