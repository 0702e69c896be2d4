"""Describes a checkpoint that does not exist."""

from difflib import get_close_matches
from pathlib import Path


def describe_missing_checkpoint(file: Path) -> str:
    """Return the message for a checkpoint that is not there, or is a folder, with what is."""
    if file.is_dir():
        inside = sorted(file.rglob("*.ckpt"), key=lambda path: (path.name != "best.ckpt", path))
        return f"{file} is a folder; name a checkpoint{f', as {inside[0]}' if inside else ''}."
    if not file.parent.is_dir():
        return f"there is no checkpoint {file}: its folder does not exist either."
    names = [path.name for path in file.parent.iterdir()]
    near = get_close_matches(file.name, names) or sorted(name for name in names if name.endswith(".ckpt"))[:3]
    beside = f"; beside it: {', '.join(near)}" if near else ""
    return f"there is no checkpoint {file}{beside}."
