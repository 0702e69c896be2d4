"""segapp's rules as a tool."""

import pytest
import torch

from segapp.metrics import ScoreCollector
from segapp.metrics.tools.own import Segapp
from tests.metrics.tools.mask_cases import CASES, IGNORED, count


def test_it_is_the_evaluation_of_a_test() -> None:
    for name, pairs in {**CASES, **IGNORED}.items():
        counts = count(pairs, 0)
        collector = ScoreCollector(counts.classes, 0)
        for index, pair in enumerate(pairs):
            collector.update(*map(torch.from_numpy, pair), str(index))
        found = Segapp().score(counts).flatten(counts.classes)
        assert found == pytest.approx(collector.compute().flat, nan_ok=True), name


def test_sentences_say_what_empty_masks_did() -> None:
    text = " ".join(Segapp().explain(count(CASES["single pixel"], 0)))
    assert "class 0, the background, is left out" in text
    assert (
        "Once a class was predicted" in text and "6 times a class was in neither" in text and "class 2, class 3" in text
    )
