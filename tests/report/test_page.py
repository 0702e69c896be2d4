"""One HTML file that needs nothing else."""

import base64
import os
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from markupsafe import Markup

from segapp.errors import MisuseError
from segapp.report.page import Page, arrange_in_row, embed_image, format_facts, format_legend, format_text


class Reader(HTMLParser):
    """The links, headings and images of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.sources = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.links += [found["href"]] if "href" in found else []
        self.ids += [found["id"]] if "id" in found else []
        self.sources += [found["src"]] if "src" in found else []


def test_sections_are_linked_in_their_order_and_text_is_escaped(tmp_path):
    page = Page("A <b>", format_facts({"<images>": "3 & more"}))
    for title in ("First", "Second & last"):
        page.add_section(title)
        page.add_text("1 < 2")
    page.add_text("small", note=True)
    page.add_figure(Markup("<svg></svg>"), 'a "caption" <i>')
    page.add_code("first <line>\nsecond\x1b[2J")
    page.add("<u>text")
    page.write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    found = Reader(text)
    assert found.links == ["#s1", "#s2"] and found.ids == ["s1", "s2"]
    assert text.index("First</h2>") < text.index("Second &amp; last</h2>") < text.index("<svg>")
    assert "<title>A &lt;b&gt;</title>" in text and "<b>3 &amp; more</b>&lt;images&gt;" in text
    assert "1 &lt; 2" in text and "<i>" not in text and "<u>" not in text and '<p class="note">small</p>' in text
    assert "<pre>first &lt;line&gt;\nsecond\\x1b[2J</pre>" in text
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]


@pytest.mark.parametrize(("suffix", "kind"), [(".png", "png"), (".jpg", "jpeg"), (".jpeg", "jpeg")])
def test_an_image_is_in_the_page_byte_for_byte(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    markup = embed_image(path, '"><script>')
    (source,) = Reader(markup).sources
    head, _, data = source.partition(",")
    assert head == f"data:image/{kind};base64" and base64.b64decode(data) == path.read_bytes()
    assert "<script>" not in markup


def test_a_legend_shows_colours_before_their_names():
    markup = format_legend([("<cell>", (255, 0, 16)), ("debris", (0, 0, 0))], "run 1:")
    assert markup.index("run 1:") < markup.index("#ff0010") < markup.index("&lt;cell&gt;") < markup.index("#000000")
    assert arrange_in_row([Markup("<img>"), Markup("<img>")]).count("<img>") == 2
    assert format_text("a & b", note=True) == '<p class="note">a &amp; b</p>'


def test_an_image_behind_a_link_beside_it_is_embedded(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    (tmp_path / "b.png").symlink_to("a.png")
    assert "data:image/png;base64,cG5n" in embed_image(tmp_path / "b.png", "a")


def test_a_page_embeds_no_file_from_elsewhere_and_nothing_without_end(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "link.png").symlink_to("../secret.txt")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "large.png").touch()
    os.truncate(folder / "large.png", 2**40)
    for path in folder.iterdir():
        with pytest.raises(MisuseError, match=path.name):
            embed_image(path, "an image")
