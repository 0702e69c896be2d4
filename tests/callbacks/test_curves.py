"""curves.png and sample figures show every class by its name, whatever that is, in a line of its own."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from segapp.callbacks.curves import draw_curves
from segapp.callbacks.samples import draw_sample, save_panels
from segapp.palette import choose_palette
from segapp.spec import Spec
from segapp.terminal.text import for_terminal

HOSTILE = ("$$", "$\\frac{$", "x_$", "a$b_$c", "_hidden", "<script>&", "a\x1b[2J\nb", "‮txt")


@pytest.fixture
def legends(monkeypatch):
    """The texts of the legends that are drawn, as matplotlib is to show them."""
    shown = []

    def save(figure, path, **options):
        save_to_disk(figure, path, **options)
        boxes = [axes.get_legend() for axes in figure.axes] + list(figure.legends)
        texts = [text for box in boxes if box for text in box.get_texts()]
        assert not any(text._preprocess_math(text.get_text())[1] for text in texts)
        shown.extend(text._preprocess_math(text.get_text())[0].lstrip("\u200a") for text in texts)

    save_to_disk = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", save)
    return shown


def spec_of(*classes, background=0):
    palette = choose_palette(len(classes), background)
    return Spec(classes=classes, background=background, palette=palette, channels=1)


def rows_of(spec):
    dice = {f"val/dice/dataset/{name}": "0.5" for name in spec.classes}
    return [{"epoch": "1", "step": "1", "train/loss": "1", **dice, "val/dice/dataset": "0.5"}]


def test_every_name_is_drawn_as_text(tmp_path, legends):
    spec = spec_of("background", *filter(str.isprintable, HOSTILE))  # a Spec takes no others
    draw_curves(rows_of(spec), tmp_path / "curves.png", spec)
    assert legends == ["train/loss", *map(for_terminal, spec.classes), "mean"]
    legends.clear()
    mask = np.zeros((8, 8), np.uint8)
    save_panels(draw_sample(np.zeros((1, 8, 8)), mask, mask, spec), tmp_path / "sample.png", spec)
    assert legends == [*map(for_terminal, spec.classes)]


def test_the_mean_does_not_hide_the_only_class(tmp_path, legends):
    spec = spec_of("background", "cell")
    draw_curves(rows_of(spec), tmp_path / "curves.png", spec)
    assert legends == ["train/loss", "background", "cell (the mean)"]
    legends.clear()
    spec = spec_of("cell", "border", background=None)
    draw_curves(rows_of(spec), tmp_path / "curves.png", spec)
    assert legends == ["train/loss", "cell", "border", "mean"]
