"""`segapp compare`: which runs it takes, what it calls them, and whose evaluation it reads."""

import csv
import json
import os
import shutil
from pathlib import Path

import PIL.Image
import pytest

from segapp.cli import main
from segapp.commands.compare import _find_results, _names
from segapp.errors import MisuseError
from segapp.palette import choose_error_colour

TINY = Path(__file__).parents[1] / "tiny.yaml"
CONFIG = (
    "name: mine\nseed_everything: 0\ndata: {source: {class_path: segapp.datasets.Cells}}\n"
    "model: {net: {class_path: segapp.models.UNet}}\n"
)


@pytest.fixture(scope="module")
def trained(without_curves, tmp_path_factory):
    """A folder with a run of one epoch, whose best checkpoint was tested, and then its last one."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        short = ["--trainer.max_epochs", "1", "--trainer.callbacks", "[]", "--data.num_workers", "0"]
        for words in (["fit", "--config", str(TINY), *short], ["test", "best"], ["test", "last"]):
            patch.setenv("SEGAPP_RUN_FOLDER", "")
            patch.delenv("SEGAPP_RUN_FOLDER")
            checkpoint = [str(path) for path in Path("runs/tiny").glob(f"2*/checkpoints/{words[-1]}.ckpt")]
            scored = [words[0], "--ckpt_path", *checkpoint, "--data.num_workers", "0"]
            assert main(scored if checkpoint else words) == 0
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_runs_of_one_name_and_time_under_two_roots_are_two_runs(trained, monkeypatch):
    """The second found nothing: had both one label, one would be set against itself, and differ by 0."""
    monkeypatch.chdir(trained)
    (run,) = Path("runs/tiny").glob("2*")
    places = [str(shutil.copytree(run, Path(root, "tiny", "today"))) for root in ("one", "two")]
    table = Path(places[1], "test-1", "per_image.csv")
    found = [row | {"dice": "0"} for row in rows(table)]
    table.write_text("\n".join(",".join(line) for line in (found[0], *(row.values() for row in found))) + "\n")
    assert main(["compare", *places, "--pictures", "1"]) == 0
    images = rows(Path("comparison/images.csv"))
    first = [float(row["dice"]) for row in images if row["variant"] == "tiny one/tiny/today"]
    assert len(first) == 5 and sum(first) > 0
    assert {float(row["dice"]) for row in images if row["variant"] == "tiny two/tiny/today"} == {0.0}
    (effect,) = [row for row in rows(Path("comparison/effects.csv")) if row["score"] == "dice/image"]
    assert float(effect["estimate"]) == pytest.approx(-sum(first) / 5, abs=1e-5)
    (variant,) = [
        row
        for row in rows(Path("comparison/variants.csv"))
        if (row["score"], row["variant"][:8]) == ("dice/image", "tiny one")
    ]
    metrics = json.loads(Path(places[0], "test-1", "metrics.json").read_text())
    assert float(variant["estimate"]) == pytest.approx(
        metrics["scores"]["dice/image"], rel=1e-9
    )  # one name, one number
    assert {path.name for path in Path("comparison/examples").iterdir()} == {
        "tiny_one_tiny_today",
        "tiny_two_tiny_today",
    }
    (prediction, _) = sorted(Path("comparison/examples").glob("*/*-prediction.png"))
    colours = json.loads((prediction.parent / "legend.json").read_text())
    palette = [colour for _, colour in colours["classes"]]
    assert [name for name, _ in colours["classes"]] == ["background", "cell"]
    assert tuple(colours["wrong"]) == choose_error_colour(tuple(colour) for colour in palette)
    with PIL.Image.open(prediction) as image:
        assert image.getpalette()[:9] == [value for colour in [*palette, colours["wrong"]] for value in colour]


def test_names_are_as_long_as_they_must_be():
    assert _names(["a/1", "b/1"], ["plain", "skips"]) == ["plain", "skips"]
    assert _names(["a/1", "a/2"], ["mine", "mine"]) == ["mine 1", "mine 2"]
    assert _names(["a/1", "b/1", "b/2"], ["mine"] * 3) == ["mine a/1", "mine b/1", "mine b/2"]
    assert _names(["/a/1", "/b/a/1"], ["mine"] * 2) == ["mine /a/1", "mine b/a/1"]
    assert _names(["a/1", "b/2"], ["my net", "my_net"]) == ["my net 1", "my_net 2"]  # their examples need two folders
    first, second = _names(["a b/1", "a_b/1"], ["mine"] * 2)
    assert first.startswith("1 mine /") and second.startswith("2 mine /")


def test_a_verdict_says_which_checkpoint_was_scored(trained):
    (run,) = (trained / "runs/tiny").glob("2*")
    scored = [json.loads((run / f"test-{number}" / "metrics.json").read_text())["checkpoint"] for number in (1, 2)]
    assert scored == ["../checkpoints/best.ckpt", "../checkpoints/last.ckpt"]  # seen from the evaluation's folder
    assert _find_results(run, "test") == run / "test-1"


def record(run: Path, number: int, **content: str | None) -> None:
    path = run / f"test-{number}" / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    os.utime(path, (number, number))


def test_the_newest_verdict_of_the_best_checkpoint_counts(tmp_path):
    record(tmp_path, 1, checkpoint="elsewhere/last.ckpt")
    with pytest.raises(MisuseError, match=r"no test evaluation of best\.ckpt, only of last\.ckpt; run segapp test"):
        _find_results(tmp_path, "test")
    for number, content in enumerate(({}, {"checkpoint": "x/best.ckpt"}, {"checkpoint": None}), 2):  # {}: an older one
        record(tmp_path, number, **content)
        record(tmp_path, number + 10, checkpoint="last.ckpt")
        assert _find_results(tmp_path, "test") == tmp_path / f"test-{number}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not the config of a run of segapp: it has no name."),
        (b"- 1\n", "it has no name."),
        (b"model: resnet\n", "it has no name."),
        (b"name: mine\nseed_everything: 0\n", "it has no data.source.class_path."),
        (b"name: mine\nseed_everything: 0\ndata: here\n", "it has no data.source.class_path."),
        (CONFIG.replace("net", "network").encode(), "it has no model.net.class_path."),
        (b"name: [\n", "cannot be read as YAML"),
        (b"name: 2026-13-45\n", "it has no seed_everything."),  # a name like any other
        (b"\x80\x02}q\x00.", "is not UTF-8 text"),
    ],
)
def test_a_run_of_another_program_is_refused(tmp_path, monkeypatch, capsys, content, sentence):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "foreign"):
        Path(name).mkdir()
    Path("mine/config.yaml").write_text(CONFIG)
    Path("foreign/config.yaml").write_bytes(content)
    assert main(["compare", "mine", "foreign"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("segapp: foreign/config.yaml: ") and sentence in said and said.count("\n") == 1


@pytest.mark.parametrize("inside", ["examples", "figures"])
def test_nothing_is_written_through_links_in_the_output(inside, tmp_path, monkeypatch, capsys):
    (tmp_path / "home").mkdir()
    (tmp_path / "work" / "comparison").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    Path("comparison", inside).symlink_to(tmp_path / "home")
    assert main(["compare", "a", "b", "--overwrite", "true"]) == 2
    assert f"comparison/{inside}: a link" in capsys.readouterr().err
