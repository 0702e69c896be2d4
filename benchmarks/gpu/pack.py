"""Copy a data set so that it fits a limit: images as JPEG, masks without loss, lists and tables as they are.

    python benchmarks/gpu/pack.py data/camvid_full packed --limit_mb 40

An image is what has three channels of colour; everything with one channel or a palette is taken for a mask, and is
written as PNG again, losslessly. All images get the same JPEG quality (4:2:0), the highest of `QUALITIES` with which
the copy fits. Names in text files follow where a suffix changes. Accuracy on a packed set is that of the packed set:
say so beside the figure.
"""

import argparse
import io
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import PIL.Image

QUALITIES = (95, 92, 90, 87, 84, 80, 75, 70, 60, 50)
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
TEXT = {".txt", ".csv", ".json", ".md", ".yaml"}


def main() -> None:
    """Write the copy and print its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("output", type=Path, help="folder to make")
    parser.add_argument("--limit_mb", type=float, default=40)
    options = parser.parse_args()
    if options.output.exists():
        sys.exit(f"pack.py: {options.output} exists; name another folder, nothing is overwritten.")
    quality, size = pack(options.root, options.output, options.limit_mb * 1e6)
    print(f"{options.output}: {size / 1e6:.1f} MB, images as JPEG of quality {quality}, masks unchanged")


def pack(root: Path, output: Path, limit: float) -> tuple[int, int]:
    """Write the copy; return the quality and the bytes.

    Raises ValueError when even the lowest quality is too large.
    """
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    images = [path for path in files if path.suffix.lower() in SUFFIXES and is_image(path)]
    others = [path for path in files if path not in set(images)]
    fixed = sum(len(data) for _, data in copy_others(root, others, images))
    quality = choose_quality(images, limit - fixed)
    size = 0
    for name, data in [*copy_others(root, others, images), *copy_images(root, images, quality)]:
        target = output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        size += len(data)
    if size > limit:
        shutil.rmtree(output)
        raise ValueError(f"{root}: {size / 1e6:.1f} MB at quality {quality}, more than {limit / 1e6:.1f} MB")
    return quality, size


def is_image(path: Path) -> bool:
    """Return whether a file has three channels of colour, so that it is no mask of indices."""
    with PIL.Image.open(path) as file:
        return file.mode in ("RGB", "RGBA", "CMYK")


def choose_quality(images: Sequence[Path], limit: float, sampled: int = 40) -> int:
    """Return the highest quality whose size, estimated from evenly sampled images and 2 % for chance, fits."""
    some = images[:: max(1, len(images) // sampled)]
    if not some:
        return QUALITIES[0]
    for quality in QUALITIES:
        if 1.02 * sum(len(encode(path, quality)) for path in some) * len(images) / len(some) <= limit:
            return quality
    return QUALITIES[-1]


def encode(path: Path, quality: int) -> bytes:
    """Return an image as JPEG."""
    buffer = io.BytesIO()
    with PIL.Image.open(path) as file:
        file.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    return buffer.getvalue()


def copy_images(root: Path, images: Sequence[Path], quality: int) -> Iterator[tuple[Path, bytes]]:
    """Yield name and content of every image."""
    for path in images:
        yield path.relative_to(root).with_suffix(rename(path)), encode(path, quality)


def rename(path: Path) -> str:
    """Return the suffix of the packed image."""
    return path.suffix if path.suffix.lower() in (".jpg", ".jpeg") else ".jpg"


def copy_others(root: Path, others: Sequence[Path], images: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
    """Yield name and content of masks, which are written anew where that is smaller, and of all other files."""
    names = {path.relative_to(root).as_posix(): path.suffix for path in others}
    names |= {path.relative_to(root).as_posix(): rename(path) for path in images}
    for path in others:
        data = path.read_bytes()
        if path.suffix.lower() == ".png":
            buffer = io.BytesIO()
            with PIL.Image.open(path) as file:
                file.save(buffer, "PNG", optimize=True)
            data = min(data, buffer.getvalue(), key=len)
        elif path.suffix.lower() in TEXT:
            data = rename_words(data.decode(), names).encode()
        yield path.relative_to(root), data


def rename_words(text: str, names: Mapping[str, str]) -> str:
    """Return a text in which every name of a file has its new suffix.

    A name may stand behind the path of another machine: of the files whose names end a word, the longest is meant.
    """

    def change(match: re.Match[str]) -> str:
        word = match.group()
        meant = max((name for name in names if f"/{word}".endswith(f"/{name}")), key=len, default=None)
        return word if meant is None else word[: -len(Path(meant).suffix)] + names[meant]

    return re.sub(r"[^\s,;\"']+\.\w+", change, text)


if __name__ == "__main__":
    main()
