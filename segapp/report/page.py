"""Write one HTML file that needs no other: images are embedded, and nothing is requested."""

import base64
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.system.regular_files import read_regular
from segapp.terminal.text import for_html

LARGEST_IMAGE = 2**26
"""Bytes of an image file in a page."""

CSS = """
:root { color-scheme: light dark; --ink: #24272d; --soft: #667; --paper: #fdfdfc; --line: #d9dade; --tint: #f1f2f4;
  --accent: #2f7fc1 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --soft: #9aa0aa; --paper: #16181c; --line: #33373e;
  --tint: #1f2228; --accent: #6fb1e6 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.2rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
h1 { font-size: 1.8rem; line-height: 1.2; margin: .6rem 0 .4rem }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line) }
p, li { max-width: 46rem } p.note, figcaption, footer { color: var(--soft); font-size: .88rem }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem } a { color: var(--accent) }
.facts { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0 }
.facts div { background: var(--tint); border-radius: .5rem; padding: .45rem .8rem; font-size: .85rem }
.facts b { display: block; font-size: 1.05rem; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto; margin: .8rem 0; -webkit-overflow-scrolling: touch }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; white-space: nowrap }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid var(--line) }
th { font-weight: 600; vertical-align: bottom } .number { text-align: right }
tbody tr:hover { background: var(--tint) } td:first-child, th:first-child { padding-left: .2rem }
figure { margin: .8rem 0 } figure svg { width: 100%; height: auto; min-width: 40rem; display: block }
figure > img { max-width: 100%; height: auto }
.images { display: flex; flex-wrap: wrap; gap: .6rem; margin: .8rem 0 1.8rem }
.images figure { width: 10.3rem; margin: 0 }
.images img { width: 100%; image-rendering: pixelated; border-radius: .25rem; display: block }
.legend span { display: inline-block; margin-right: 1rem } .legend i { display: inline-block; width: .8em; height: .8em;
  margin-right: .35em; border: 1px solid var(--soft); vertical-align: -.05em }
pre { background: var(--tint); padding: .8rem; border-radius: .5rem; overflow-x: auto; font-size: .82rem }
summary { cursor: pointer; color: var(--accent) } footer { margin-top: 3rem }
"""


class Page:
    """A title, sections in order, and the file they become."""

    def __init__(self, title: str, lead: str) -> None:
        self.title = title
        self._lead = lead
        self._sections: list[tuple[str, str, list[str]]] = []

    def add_section(self, title: str) -> None:
        """Start a section: further content is added under this heading."""
        self._sections.append((f"s{len(self._sections) + 1}", title, []))

    def add(self, markup: str) -> None:
        """Add HTML unchanged."""
        self._sections[-1][2].append(markup)

    def add_text(self, text: str, note: bool = False) -> None:
        """Add a paragraph; notes are small."""
        self.add(format_note(text) if note else f"<p>{for_html(text)}</p>")

    def add_figure(self, svg: str, caption: str) -> None:
        """Add a figure with its caption; it scrolls sideways where the screen is narrow."""
        self.add(f'<figure><div class="wide">{svg}</div><figcaption>{for_html(caption)}</figcaption></figure>')

    def write(self, path: Path) -> None:
        """Write the complete file."""
        links = "".join(f'<a href="#{key}">{for_html(title)}</a>' for key, title, _ in self._sections)
        body = "\n".join(
            "\n".join([f'<section id="{key}"><h2>{for_html(title)}</h2>', *parts, "</section>"])
            for key, title, parts in self._sections
        )
        with write_atomically(path) as temporary:
            temporary.write_text(
                '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
                '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                f"<title>{for_html(self.title)}</title>\n<style>{CSS}</style></head>\n<body>\n"
                f"<h1>{for_html(self.title)}</h1>\n{self._lead}\n<nav>{links}</nav>\n{body}\n</body></html>\n"
            )


def format_note(text: str) -> str:
    """Format a small paragraph."""
    return f'<p class="note">{for_html(text)}</p>'


def format_facts(pairs: dict[str, str]) -> str:
    """Format short facts in boxes, the number above its name."""
    boxes = "".join(f"<div><b>{for_html(value)}</b>{for_html(name)}</div>" for name, value in pairs.items())
    return f'<div class="facts">{boxes}</div>'


def embed_image(path: Path, caption: str) -> str:
    """Embed an image file: a regular one, or a link to one in the same folder; raises MisuseError for others."""
    content = read_regular(path, LARGEST_IMAGE)
    if path.resolve().parent != path.parent.resolve():
        raise MisuseError(f"{path}: a link out of its folder, which is not followed; replace it by the image.")
    kind = "jpeg" if path.suffix in (".jpg", ".jpeg") else "png"
    data = base64.b64encode(content).decode()
    words = for_html(caption)
    return f'<figure><img alt="{words}" src="data:image/{kind};base64,{data}"><figcaption>{words}</figcaption></figure>'


def embed_pixels(pixels: np.ndarray, caption: str) -> str:
    """Embed an image of (H, W, 3) uint8 RGB with its caption."""
    data = base64.b64encode(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()).decode()
    words = for_html(caption)
    return (
        f'<figure style="display:inline-block;margin:.4rem"><img alt="{words}" src="data:image/png;base64,{data}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def format_legend(colours: Iterable[tuple[str, tuple[int, ...]]], lead: str = "") -> str:
    """Return squares of colours (RGB), each before its name."""
    squares = "".join(
        f'<span><i style="background:#{bytes(colour).hex()}"></i>{for_html(name)}</span>' for name, colour in colours
    )
    return f'<p class="note legend">{for_html(lead)} {squares}</p>'


def arrange_in_row(images: list[str]) -> str:
    """Arrange images side by side, in a second row where they do not fit."""
    return f'<div class="images">{"".join(images)}</div>'
