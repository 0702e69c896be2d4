"""Measure `segapp check` of many images beside bare decoding of the same files: CPU time and peak memory.

    python benchmarks/checking.py --folder many                        # 10,000 images of 512 x 512: 1.3 GB of disk
    python benchmarks/checking.py --folder many --counts 100 300       # a look

Colour JPEGs with 8-bit PNG masks of discs are generated once into the folder; remove it afterwards. Each measurement is
a process of its own, on one core:

    bare    OpenCV reads image and mask and leaves them
    check   the command, which also writes its page

CPU time is that of the process, so that other work on the machine matters little. Prints Markdown.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from interleaved import machine, table

SIDE = 512
DISCS = 20

BARE = """
import sys
from pathlib import Path
import cv2
cv2.setNumThreads(1)
images, masks = map(Path, sys.argv[1:])
for path in sorted(images.iterdir()):
    assert cv2.imread(str(path)) is not None
    assert cv2.imread(str(masks / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED) is not None
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10000], help="images, from few to many")
    options = parser.parse_args()
    make_images(options.folder / "all", max(options.counts))
    rows = []
    for count in options.counts:
        images, masks = link_first(options.folder, count)
        output = options.folder / f"check-{count}"
        check = ["-m", "segapp", "check", "--images", images, "--masks", masks, "--output", str(output), "--overwrite"]
        for arm, words in (("bare", ["-c", BARE, images, masks]), ("check", check)):
            seconds, peak = measure(words)
            rows.append([arm, str(count), f"{seconds:.1f}", f"{1e3 * seconds / count:.2f}", f"{peak:.0f}"])
    print(table(["arm", "images", "CPU s", "CPU ms an image", "peak MB"], rows))
    print(f"\n{machine()}")


def make_images(folder: Path, count: int) -> None:
    """Write `images/NNNNN.jpg` and `masks/NNNNN.png` where they are missing: bright discs on a texture."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    texture = np.random.default_rng(0).normal(110, 60, (2048, 2048, 3)).astype(np.float32)
    texture = np.clip(cv2.GaussianBlur(texture, (0, 0), 1.5), 0, 255).astype(np.uint8)
    for number in range(count):
        image_path, mask_path = folder / f"images/{number:05}.jpg", folder / f"masks/{number:05}.png"
        if mask_path.is_file():
            continue
        rng = np.random.default_rng(number)
        y, x = rng.integers(0, len(texture) - SIDE, 2)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for _ in range(DISCS):
            centre = rng.integers(0, SIDE, 2).tolist()
            cv2.circle(mask, centre, int(rng.integers(8, 30)), 1, cv2.FILLED)
        image = cv2.add(texture[y : y + SIDE, x : x + SIDE], cv2.merge([cv2.blur(mask * 80, (3, 3))] * 3))
        cv2.imwrite(str(image_path), image)
        cv2.imwrite(str(mask_path), mask)


def link_first(folder: Path, count: int) -> tuple[str, str]:
    """Return a folder of the first images and one of their masks, made of links to the generated ones."""
    for part in ("images", "masks"):
        (folder / str(count) / part).mkdir(parents=True, exist_ok=True)
        for path in sorted((folder / "all" / part).iterdir())[:count]:
            target = folder / str(count) / part / path.name
            if not target.exists():
                os.link(path, target)
    return str(folder / str(count) / "images"), str(folder / str(count) / "masks")


def measure(words: list[str]) -> tuple[float, float]:
    """Run Python with these words on one core; return its CPU seconds and its peak memory in MB."""
    core = min(os.sched_getaffinity(0))
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {core})
    )
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise RuntimeError(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
