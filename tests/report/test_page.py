"""What a page takes in: images that lie where it looks for them."""

import os

import pytest

from segapp.errors import MisuseError
from segapp.report.page import embed_image


def test_an_image_is_embedded_with_its_caption(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    (tmp_path / "b.png").symlink_to("a.png")
    for name in ("a.png", "b.png"):
        assert "data:image/png;base64,cG5n" in embed_image(tmp_path / name, "<a>")
    assert "&lt;a&gt;" in embed_image(tmp_path / "a.png", "<a>")


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
