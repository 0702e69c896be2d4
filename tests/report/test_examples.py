"""Example predictions on a page, variant beside variant."""

from pathlib import Path

from segapp.report.examples import add_examples
from segapp.report.page import Page
from segapp.report.results import Result
from tests.lab.study.runs_by_hand import results


def write(folder: Path, made: list[Result], pairs=()) -> str:
    page = Page("title", "")
    add_examples(page, made, pairs)
    page.write(folder / "page.html")
    return (folder / "page.html").read_text()


def test_every_variant_is_shown_once_after_image_and_target(tmp_path):
    text = write(tmp_path, results(tmp_path, flow=False)[:4])
    assert [text.count(f"<figcaption>{words}<") for words in ("10", "target", "plain", "skip &amp; add")] == [1] * 4
    order = [text.index(f"<figcaption>{words}<") for words in ("10", "target", "plain", "skip &amp; add")]
    assert order == sorted(order)


def test_legends_that_differ_are_of_their_variants(tmp_path):
    made = results(tmp_path, flow=False)[:4]
    text = write(tmp_path, made)
    assert text.count('class="note legend"') == 2  # errors have another colour in each variant
    assert 'plain: <span><i style="background:#000000"></i>a</span>' in text
    assert '<i style="background:#090909"></i>&lt;b&gt;' in text
    assert '<i style="background:#ff00ff"></i>predicted wrongly' in text
    assert '<i style="background:#010203"></i>predicted wrongly' in text
    alone = write(tmp_path, made[:2])
    assert alone.count('class="note legend"') == 1 and "plain:" not in alone


def test_chosen_images_stand_under_their_headings(tmp_path):
    text = write(tmp_path, results(tmp_path, flow=False)[:1], [("the <best>", ["10"]), ("the worst", ["10"])])
    assert text.count("<figcaption>target<") == 2
    assert text.index("the &lt;best&gt;") < text.index("the worst")


def test_without_examples_there_is_no_section(tmp_path):
    assert "<h2>" not in write(tmp_path, [Result("a", 0), Result("b", 0, examples=tmp_path / "gone")])
