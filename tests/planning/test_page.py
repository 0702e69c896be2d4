"""The page of a plan shows what was measured."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from segapp.datasets.source import Item
from segapp.planning import page
from segapp.planning.decisions import Decision
from segapp.planning.machine import Machine
from segapp.planning.page import draw_sample, show_samples, write_page
from segapp.planning.plan import Plan
from segapp.planning.sizes import choose_sizes
from segapp.report.figures import make_figure
from tests.loading.conftest import Pixels
from tests.planning.fingerprints import facts, fingerprint

GREEN = (0, 255, 0)


def make_plan(name="mine", item_name="a", sample=(64, 64), is_reduced=False):
    """A plan for one image of 200 x 400 pixels whose right half is class 1."""
    one = fingerprint(facts(item_name, size=(200, 400), counts=(40_000, 40_000)))
    mask = np.zeros((200, 400), np.uint8)
    mask[:, 200:] = 1
    item = Item(item_name, item_name, Pixels(np.full((200, 400, 1), 100, np.uint8)), Pixels(mask))
    source = SimpleNamespace(items=lambda split: [item] if split == "train" else [], palette=((0, 0, 0), GREEN))
    geometry = choose_sizes(one, "cpu", pixels=2 * 128**2)
    geometry = SimpleNamespace(**{**vars(geometry), "sample": sample, "is_reduced": is_reduced})
    machine = Machine("cpu", "a machine", 2**30, 2**30, 2)
    decisions = (Decision("data.crop", [64, 64], "since <b>objects</b> are small"),)
    return Plan(name, decisions, one, geometry, source, machine, (), ""), item


def test_a_sample_shows_outlines_and_the_frame_of_a_crop_in_the_middle():
    made, item = make_plan(sample=(50, 100))
    shown = draw_sample(item, made)
    assert shown.shape == (160, 320, 3)  # 0.8 of the image: 320 pixels are shown at most
    white = np.argwhere((shown == 255).all(axis=2))
    assert (white.max(axis=0) - white.min(axis=0) + 1) == pytest.approx([40, 80], abs=2)
    outline = np.argwhere((shown == GREEN).all(axis=2))
    assert outline[:, 1].min() == 160 and outline.max(axis=0).tolist() == [159, 319]
    assert shown[5, 5].tolist() == [100, 100, 100]


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path, monkeypatch):
    for name in ("draw_sizes", "draw_classes", "draw_objects", "draw_intensities"):  # each has a test of its own
        monkeypatch.setattr(page, name, lambda *_: make_figure(1, 1))
    made, _ = make_plan(name="<mine>", item_name="<script>")
    write_page(tmp_path / "mine.html", made, Path("mine.yaml"))
    text = (tmp_path / "mine.html").read_text()
    assert "<script" not in text and "&lt;script&gt;" in text and "&lt;mine&gt;" in text
    assert "since &lt;b&gt;objects&lt;/b&gt; are small" in text
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert "The framed part of each image is one training sample" in text
    assert text.count("<svg") == 4 and text.count("data:image/png;base64,") == 1


def test_images_with_objects_are_shown():
    """Half of the slices of a volume may lie above and below an organ."""
    made, item = make_plan()
    empty = [replace(facts(name), objects=()) for name in "bcdefgh"]
    others = [replace(item, name=one.name) for one in empty]
    source = SimpleNamespace(**{**vars(made.source), "items": lambda split: [*others, item]})
    made = replace(made, fingerprint=fingerprint(*made.fingerprint.images, *empty), source=source)
    assert show_samples(made).count("data:image/png") == 1


def test_reduced_images_are_samples_without_a_frame(tmp_path):
    made, item = make_plan(is_reduced=True)
    assert not (draw_sample(item, made) == 255).all(axis=2).any()
    write_page(tmp_path / "mine.html", made, Path("mine.yaml"))
    assert "Each image, reduced, is one training sample" in (tmp_path / "mine.html").read_text()
