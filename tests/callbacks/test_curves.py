"""curves.png and sample figures show every class by its name, whatever that is, in a line of its own."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from segapp.callbacks.curves import Curves, _locate_rows, draw_curves
from segapp.callbacks.samples import draw_sample, save_panels
from segapp.io import read_table
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


class OwnTrainer:
    """What `Curves` asks a trainer for."""

    def __init__(self):
        self.sanity_checking, self.is_global_zero = False, True
        self.state = SimpleNamespace(fn="fit")
        self.optimizers = [SimpleNamespace(param_groups=[{"lr": 0.5}])]
        self.current_epoch = self.global_step = 0
        self.callback_metrics = {}

    def go_to(self, epoch, step):
        self.current_epoch, self.global_step = epoch - 1, step


def test_every_validation_is_kept(tmp_path):
    """Of several validations in an epoch, only the last one was."""
    spec = spec_of("background", "cell")
    trainer, module, curves = OwnTrainer(), SimpleNamespace(spec=spec), Curves(tmp_path)
    trainer.sanity_checking = True
    curves.on_validation_end(trainer, module)
    trainer.sanity_checking = False
    for epoch, step, dice, ends in [(1, 4, 0.1, False), (1, 8, 0.3, False), (1, 10, None, True), (2, 14, 0.2, True)]:
        trainer.go_to(epoch, step)
        if dice is not None:
            trainer.callback_metrics = {"val/dice/dataset": dice, "train/loss_step": 7.0}
            curves.on_validation_end(trainer, module)
        if ends:
            trainer.callback_metrics["train/loss"] = 9.0
            curves.on_train_epoch_end(trainer, module)
    found = [(row["epoch"], row["step"], row["train/loss"], row["val/dice/dataset"]) for row in read_table(curves.csv)]
    assert found == [("1", "4", "", "0.1"), ("1", "8", "", "0.3"), ("1", "10", "9", ""), ("2", "14", "9", "0.2")]
    curves.on_train_end(trainer, module)
    assert curves.png.is_file()


def test_curves_are_drawn_at_intervals_and_at_the_end_however_that_comes(tmp_path, monkeypatch):
    drawn, now = [], [0.0]
    monkeypatch.setattr("segapp.callbacks.curves.draw_curves", lambda rows, path, spec: drawn.append(len(rows)))
    monkeypatch.setattr("segapp.callbacks.curves.time", SimpleNamespace(monotonic=lambda: now[0]))
    trainer, module = OwnTrainer(), SimpleNamespace(spec=spec_of("background", "cell"))
    curves = Curves(tmp_path)
    for epoch in range(1, 8):
        now[0] += 4
        trainer.go_to(epoch, epoch)
        curves.on_train_epoch_end(trainer, module)
    assert drawn == [3, 6]
    curves.on_train_end(trainer, module)
    curves.on_exception(trainer, module, ValueError())
    assert drawn == [3, 6, 7]  # once
    curves.on_train_epoch_end(trainer, module)
    curves.on_exception(trainer, module, KeyboardInterrupt())
    assert drawn == [3, 6, 7]
    curves.on_exception(trainer, module, ValueError())
    assert drawn == [3, 6, 7, 7]


def test_a_figure_that_cannot_be_written_is_reported_and_hides_no_error(tmp_path, monkeypatch):
    reported = []
    monkeypatch.setattr("segapp.callbacks.curves.rank_zero_info", reported.append)
    trainer, module = OwnTrainer(), SimpleNamespace(spec=spec_of("background", "cell"))
    curves = Curves(tmp_path)
    trainer.go_to(1, 1)
    curves.on_train_epoch_end(trainer, module)
    curves.png.mkdir()
    curves.on_exception(trainer, module, ValueError())
    (message,) = reported
    assert message.startswith(f"{curves.png} was not drawn: {curves.png}: cannot be written")


def test_a_resumed_epoch_has_one_row(tmp_path):
    spec = spec_of("background", "cell")
    trainer, module = OwnTrainer(), SimpleNamespace(spec=spec)
    for step, dice in ((6, 0.2), (10, 0.4)):  # the epoch was stopped after step 6, which was validated
        curves = Curves(tmp_path)
        curves.on_train_start(trainer, module)
        trainer.go_to(1, step)
        trainer.callback_metrics = {"val/dice/dataset": dice}
        curves.on_validation_end(trainer, module)
        trainer.callback_metrics["train/loss"] = 9.0
        curves.on_train_epoch_end(trainer, module)
    rows = read_table(tmp_path / "metrics.csv")
    assert [(row["step"], row["train/loss"], row["val/dice/dataset"]) for row in rows] == [
        ("6", "", "0.2"),
        ("10", "9", "0.4"),
    ]


def test_validations_lie_between_epochs():
    rows = [{"epoch": "1", "step": "4"}, {"epoch": "1", "step": "10", "train/loss": "1"}]
    rows += [{"epoch": "2", "step": "15"}, {"epoch": "2", "step": "20", "train/loss": "1"}]
    assert _locate_rows(rows) == [0.4, 1.0, 1.5, 2.0]


def test_the_axis_of_one_epoch_has_no_fractions(tmp_path, monkeypatch):
    drawn = []

    def keep(figure, path, **options):
        drawn.append(figure)
        path.touch()

    monkeypatch.setattr(Figure, "savefig", keep)
    spec = spec_of("background", "cell")
    draw_curves(rows_of(spec), tmp_path / "curves.png", spec)
    assert all(tick == round(tick) for axes in drawn[0].axes for tick in axes.get_xticks())
