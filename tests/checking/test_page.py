"""The page shows suspects, and needs nothing else."""

from pathlib import Path

import cv2
import numpy as np

from tests.checking.shapes import check


def test_suspects_are_drawn_and_names_escaped(folder):
    for kind in ("images", "masks"):
        (folder / kind / "03.png").rename(folder / kind / "<i>3.png")
    path = folder / "masks" / "<i>3.png"
    cv2.imwrite(str(path), np.ascontiguousarray(cv2.imread(str(path), 0)[:, ::-1]))
    check()
    page = Path("check/check.html").read_text()
    assert "Masks that may not belong to their image" in page
    assert page.count("data:image/png;base64,") == 1 + 8  # and examples of all masks
    assert "<i>3" not in page and "&lt;i&gt;3" in page
    assert page.count("<svg") == 3 and "80 x 96 pixels" in page  # one size needs no figure


def test_a_clean_set_has_no_sections_of_problems_but_shows_masks_on_images(folder):
    check()
    page = Path("check/check.html").read_text()
    assert "Nothing was found that is wrong." in page and page.count("<h2>") == 2
    assert "Masks on their images" in page and page.count("data:image/png;base64,") == 8
