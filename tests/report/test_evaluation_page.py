"""The page of a test: what it shows, that text stays text, and that nothing is requested."""

import re

import numpy as np
import torch
from markupsafe import Markup

from segapp.metrics import TEST_SCORES, ScoreCollector, describe_calibration
from segapp.report.cases import choose_cases, draw_case
from segapp.report.evaluation_intervals import estimate_intervals
from segapp.report.evaluation_page import PageContent, write_page
from segapp.report.pixels import measure_properties
from segapp.spec import Spec

SPEC = Spec(("ground", "<b>cell"), 0, ((0, 0, 0), (255, 0, 0)), 1)


def write(folder, images=9, spec=SPEC, **content) -> str:
    collector, rng = ScoreCollector(spec.classes, spec.background, TEST_SCORES), np.random.default_rng(0)
    cases, properties, names = [], {}, [f"<script>{index}" for index in range(images)]
    for index, name in enumerate(names):
        image, target = rng.integers(0, 255, (1, 8, 8 + index), np.uint8), np.zeros((8, 8 + index), np.uint8)
        target[2:5, 2:7] = 1
        prediction = np.roll(target, index % 3, axis=1)
        collector.update(torch.from_numpy(prediction), torch.from_numpy(target), name, confidence=index / images)
        properties[name] = measure_properties(image)
        cases.append(draw_case(name, 1 - index % 3 / 3, image, target, prediction, spec))
    evaluation = collector.compute()
    write_page(
        folder,
        PageContent(
            evaluation=evaluation,
            spec=spec,
            groups=names,
            intervals=estimate_intervals(evaluation, names),
            cases=choose_cases(cases, [case.score for case in cases]),
            properties=properties,
            **content,
        ),
    )
    return (folder / "report.html").read_text()


def test_the_page_has_scores_tables_figures_and_cases(tmp_path, monkeypatch):
    monkeypatch.setattr("segapp.report.evaluation_page.render_svg", lambda figure, name: Markup(f'<svg id="{name}-"/>'))
    text = write(tmp_path, loss=0.25, facts={"licence of the weights": "<yours>"}, config="model:\n  net: <x>\n")
    for title in ("Scores", "Classes", "Confusion", "Images", "Review", "Data", "Settings and versions"):
        assert f"<h2>{title}</h2>" in text
    assert text.count('class="case"') == 9 and text.count('type="checkbox"') == 36
    assert text.count("data:image/jpeg") == 9 and text.count("data:image/png") == 27  # each image once
    assert 'id="distributions-' in text and 'id="dependence-' in text
    assert "&lt;yours&gt;" in text and "net: &lt;x&gt;\n" in text.replace("</pre>", "\n")
    assert "<script" not in text and "<b>cell" not in text and "&lt;script&gt;0" in text
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)|url\((?!#)|@import""", text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_the_page_says_what_a_temperature_and_a_review_change(tmp_path, monkeypatch):
    monkeypatch.setattr("segapp.report.evaluation_page.render_svg", lambda figure, name: Markup(""))
    logits = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0))
    collector = ScoreCollector(SPEC.classes, 0)
    for temperature in (1.0, 2.5):
        probabilities = (logits / temperature).softmax(0)
        collector.count_probabilities(probabilities, torch.zeros(8, 8, dtype=torch.uint8), None, temperature)
    calibration = describe_calibration(collector.calibration, SPEC.classes, 0)
    text = write(tmp_path, calibration=calibration)
    assert "<h2>Review</h2>" in text and "5% (1)" in text
    assert "without the temperature of 2.5" in text
    for found in (calibration, calibration["without_temperature"]):
        assert f"{found['nll']:.4f}" in text


def test_nothing_to_score_and_many_classes_still_give_a_page(tmp_path):
    many = Spec(tuple(f"c{index}" for index in range(40)), None, ((0, 0, 0),) * 40, 1)
    text = write(tmp_path, images=2, spec=many)
    assert 'class="matrix"' not in text and "The largest confusions" in text and "too few images" in text
    collector = ScoreCollector(SPEC.classes, 0, TEST_SCORES)
    collector.update(torch.zeros(4, 4, dtype=torch.int64), torch.full((4, 4), 255), "a")
    write_page(tmp_path, PageContent(collector.compute(), SPEC, ["a"], {}))
    assert "<h2>Confusion</h2>" not in (tmp_path / "report.html").read_text()
