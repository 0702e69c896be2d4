"""`segapp compare`: which runs and folders of predictions it takes, and what it writes."""

import csv
import html
import json
import re
import shlex
import shutil
from pathlib import Path

import PIL.Image
import pytest

from segapp.cli import main
from segapp.lab.compare.runs import find_evaluation
from segapp.loading.source_building import build_source
from segapp.palette import choose_error_colour
from segapp.system.yaml_files import read_yaml
from tests.lab.compare.conftest import write_masks

TINY = Path(__file__).parents[2] / "tiny.yaml"
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


def test_a_verdict_says_which_checkpoint_was_scored(trained):
    (run,) = (trained / "runs/tiny").glob("2*")
    scored = [json.loads((run / f"test-{number}" / "metrics.json").read_text())["checkpoint"] for number in (1, 2)]
    assert scored == ["../checkpoints/best.ckpt", "../checkpoints/last.ckpt"]  # seen from the evaluation's folder
    assert find_evaluation(run, "test") == run / "test-1"


TOOLS = ["one=one", "two=two", "--data=data.yaml", "--encoding=two:background=0,cell=9", "--pictures=0"]


def test_tools_are_scored_as_masks_are_by_metrics(tools, monkeypatch, capsys):
    monkeypatch.setattr("segapp.lab.compare.command.write_report", lambda report, folder: folder)
    assert main(["compare", *TOOLS]) == 2
    assert "'c'" in capsys.readouterr().err and not Path("comparison").exists()
    shutil.copytree("one", "same")
    assert main(["compare", "one=one", "again=same", "--data=data.yaml", "--pictures=0"]) == 0
    scored = Path("comparison/scores/one")
    labels = ["--classes=background,cell", "--background=background", "--output=scored"]
    assert main(["metrics", "--predictions=one", "--truth=data/masks", *labels]) == 0
    assert Path("scored/per_image.csv").read_text() == (scored / "per_image.csv").read_text()
    of_metrics, own = (json.loads((place / "metrics.json").read_text()) for place in (Path("scored"), scored))
    assert own["scores"] == of_metrics["scores"] and own["predictions"] == "one"


@pytest.mark.slow
def test_the_page_of_tools_alone(tools):
    command = ["compare", *TOOLS[:-1], "--only_common=true", "--pictures=1"]
    assert main(command) == 0
    (effect,) = [row for row in rows(Path("comparison/effects.csv")) if row["score"] == "dice/image"]
    assert (effect["contrast"], effect["images"]) == ("two − one", "2")
    assert float(effect["estimate"]) == pytest.approx(1 - 7 / 8)
    page = Path("comparison/report.html").read_text()
    assert page.count("data:image/jpeg") == 1 and "learning curves" not in page.lower()
    found = re.search("<pre>(segapp compare .*)</pre>", page)
    assert found is not None
    Path("comparison/effects.csv").unlink()
    assert main(shlex.split(html.unescape(found[1]))[1:]) == 0
    assert Path("comparison/effects.csv").is_file()


@pytest.mark.slow
def test_predictions_stand_beside_a_run_on_its_images(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    (run,) = Path("runs/tiny").glob("2*")
    names = [row["name"] for row in rows(run / "test-1/per_image.csv")]
    source = build_source("here", read_yaml(run / "config.yaml")["data"])
    write_masks(
        Path("perfect"), **{name: item.mask.read() for name, item in zip(names, source.select(names), strict=True)}
    )
    assert main(["compare", str(run), "perfect=perfect", "--output", "beside", "--pictures", "1"]) == 0
    images = rows(Path("beside/images.csv"))
    assert {float(row["dice"]) for row in images if row["variant"] == "perfect"} == {1.0}
    assert [row["image"] for row in images if row["variant"] == "perfect"] == sorted(names)
    assert any(Path("beside/examples/perfect").glob("*-prediction.png"))
    Path("perfect", f"{names[0]}.png").unlink()
    assert main(["compare", str(run), "perfect=perfect", "--output", "fewer"]) == 2
    assert repr(names[0]) in capsys.readouterr().err


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


@pytest.mark.parametrize("inside", ["examples", "figures", "scores"])
def test_nothing_is_written_through_links_in_the_output(inside, tmp_path, monkeypatch, capsys):
    (tmp_path / "home").mkdir()
    (tmp_path / "work" / "comparison").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    Path("comparison", inside).symlink_to(tmp_path / "home")
    assert main(["compare", "a", "b", "--overwrite", "true"]) == 2
    assert f"comparison/{inside}: a link" in capsys.readouterr().err
