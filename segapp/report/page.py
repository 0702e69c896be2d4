"""Write one HTML file that needs no other: images are embedded, and nothing is requested."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.report.markup import render_page, render_part
from segapp.system.regular_files import read_regular

LARGEST_IMAGE = 2**26
"""Bytes of an image file in a page."""


@dataclass(frozen=True)
class Section:
    """A heading, what stands below it, and the id that links lead to."""

    key: str
    title: str
    parts: list[Markup | str] = field(default_factory=list)


class Page:
    """A title, sections in order, and the file they become.

    Only `Markup`, as the functions of this file return it, stays unchanged: text is escaped.
    """

    def __init__(self, title: str, lead: Markup | str = "") -> None:
        self.title = title
        self._lead = lead
        self._sections: list[Section] = []

    def add_section(self, title: str) -> None:
        """Start a section: further content is added under this heading."""
        self._sections.append(Section(f"s{len(self._sections) + 1}", title))

    def add(self, part: Markup | str) -> None:
        """Add markup unchanged, or text escaped."""
        self._sections[-1].parts.append(part)

    def add_text(self, text: str, note: bool = False) -> None:
        """Add a paragraph; notes are small."""
        self.add(format_text(text, note))

    def add_code(self, text: str) -> None:
        """Add lines in a fixed-width font, such as a command or a file."""
        self.add(format_code(text))

    def add_figure(self, svg: Markup, caption: str) -> None:
        """Add a figure with its caption; it scrolls sideways where the screen is narrow."""
        self.add(render_part("figure", svg, caption))

    def write(self, path: Path) -> None:
        """Write the complete file."""
        text = render_page(title=self.title, lead=self._lead, sections=self._sections)
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def format_text(text: str, note: bool = False) -> Markup:
    """Format a paragraph; notes are small."""
    return render_part("text", text, note)


def format_code(text: str) -> Markup:
    """Format lines in a fixed-width font."""
    return render_part("code", text.splitlines())


def fold(title: str, part: Markup) -> Markup:
    """Fold a part away under a title that opens it."""
    return render_part("fold", title, part)


def format_facts(pairs: Mapping[str, str]) -> Markup:
    """Format short facts in boxes, the number above its name."""
    return render_part("facts", pairs)


def embed_image(path: Path, caption: str) -> Markup:
    """Embed an image file: a regular one, or a link to one in the same folder; raises MisuseError for others."""
    content = read_regular(path, LARGEST_IMAGE)
    if path.resolve().parent != path.parent.resolve():
        raise MisuseError(f"{path}: a link out of its folder, which is not followed; replace it by the image.")
    kind = "jpeg" if path.suffix in (".jpg", ".jpeg") else "png"
    return render_part("image", encode_source(content, kind), caption)


def embed_pixels(pixels: np.ndarray, caption: str) -> Markup:
    """Embed an image of (H, W, 3) uint8 RGB with its caption."""
    return render_part("image", encode_source(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes(), "png"), caption)


def encode_source(content: bytes, kind: str) -> Markup:
    """Return the address that holds the content of an image file, of the kind `png` or `jpeg`."""
    return Markup(f"data:image/{kind};base64,{base64.b64encode(content).decode()}")


def format_legend(colours: Iterable[tuple[str, tuple[int, ...]]], lead: str = "") -> Markup:
    """Return squares of colours (RGB), each before its name."""
    return render_part("legend", lead, [(name, f"#{bytes(colour).hex()}") for name, colour in colours])


def arrange_in_row(images: Sequence[Markup]) -> Markup:
    """Arrange images side by side at one width, in a second row where they do not fit."""
    return render_part("group", "images", images)


def keep_width(image: Markup) -> Markup:
    """Keep an image wide enough for its text; it scrolls sideways where the screen is narrow."""
    return render_part("group", "wide", [image])


def arrange_samples(images: Sequence[Markup]) -> Markup:
    """Arrange images side by side, each at its own size."""
    return render_part("group", "samples", images)
