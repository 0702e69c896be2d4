"""`segapp depth`: the smoke study from one command to its figures, interrupted, resumed, redrawn."""

import csv
import re
from pathlib import Path

import pytest
import yaml

from segapp.cli import main
from segapp.lab.depth import command
from segapp.lab.depth.command import TABLE
from segapp.lab.depth.figures import COLUMNS

ROOT = Path(__file__).parents[3]
TINY = {
    "inits": ["he"],
    "activations": ["relu"],
    "depths": [2, 3],
    "shorts": ["none", "add"],
    "norms": ["none"],
    "seeds": 1,
    "longs": ["add"],
    "unet_levels": 2,
    "scale": {"width": 4, "size": 32, "batch": 1, "unet_blocks": 1},
}


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


def run(study: Path, *more: str) -> int:
    return main(["depth", "--config", str(study), "--output", str(study.parent / "out"), *more])


@pytest.mark.slow
def test_one_command_measures_and_draws_and_another_draws_again(study, capsys, monkeypatch):
    draw, drawn = command.draw_all, []
    monkeypatch.setattr(command, "draw_all", lambda *given: (drawn.append(given), draw(*given)))
    assert run(study) == 0
    out = study.parent / "out"
    with (out / "profiles.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (2 + 3) + 2 * 3  # chains of 2 and 3 blocks; U-Nets of encoder.0, bottleneck, decoder.0
    with (out / "slopes.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    printed = capsys.readouterr().out
    for name in ("report.html", "profiles.png", "depths.png", "slopes.png", "unet.png"):
        assert (out / name).stat().st_size > 5000 and f"look at: {out / name}" in printed
    page = (out / "report.html").read_text()
    assert page.count("<svg") == page.count("<figcaption>") == 4
    assert not re.search(r"(src|href)=\"(?!#)|url\((?!#)|@import|<script|<link", page)
    assert f"segapp depth --output {out} --redraw" in page
    study.unlink()
    (shown,) = drawn  # its table, folder and command
    monkeypatch.setattr(command, "measure_gradients", None)
    monkeypatch.setattr(command, "draw_all", lambda *given: drawn.append(given))
    assert main(["depth", "--output", str(out), "--redraw"]) == 0
    assert drawn[1] == shown


@pytest.fixture
def without_figures(monkeypatch):
    monkeypatch.setattr(command, "draw_all", lambda table, folder, command: None)


def test_an_interrupted_study_goes_on_and_gives_the_same_table(study, without_figures, monkeypatch):
    assert run(study) == 0
    table = study.parent / "out" / "profiles.csv"
    whole = table.read_text()
    lines = whole.splitlines(keepends=True)
    table.write_text("".join(lines[:7]) + lines[7][:20])  # killed while writing
    measured = []
    measure_gradients = command.measure_gradients

    def interrupt(variant, scale):
        if len(measured) == 1:
            raise KeyboardInterrupt
        measured.append(variant)
        return measure_gradients(variant, scale)

    monkeypatch.setattr(command, "measure_gradients", interrupt)
    assert run(study) == 130
    monkeypatch.setattr(
        command,
        "measure_gradients",
        lambda variant, scale: (measured.append(variant), measure_gradients(variant, scale))[1],
    )
    assert run(study) == 0
    assert table.read_text() == whole
    assert 1 < len(measured) < 6


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inits": ["kaiming"]}, "inits takes default, he, xavier, got 'kaiming'"),
        ({"depths": [1]}, "depths must be numbers of blocks, 2 or more"),
        ({"depths": 5}, "depths must be a list, got 5"),
        ({"longs": []}, "longs must be a list, got []"),
        ({"seeds": [0, 1]}, "seeds must be the number of seeds"),
        ({"depht": [2]}, "its keys are inits, activations, depths"),
        ({"scale": {"widht": 2}}, "is no study of depth"),
        ({"inits": [["he"]]}, "inits takes default, he, xavier, got ['he']"),
        ({"seeds": True}, "seeds must be the number of seeds"),
        ({"unet_levels": "x"}, "unet_levels must be a number of levels, 2 or more, got 'x'"),
        ({"unet_levels": 0}, "unet_levels must be a number of levels, 2 or more, got 0"),
        ({"scale": {"batch": "x"}}, "scale.batch must be a whole number, 1 or more, got 'x'"),
        ({"scale": {"size": 0}}, "scale.size must be a whole number, 1 or more, got 0"),
    ],
)
def test_studies_that_cannot_be_run_are_refused(study, change, sentence, capsys):
    study.write_text(yaml.safe_dump(TINY | change))
    assert run(study) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"PK\x03\x04\x80\xff", b"inits: [", b"seeds: 2026-13-45", b""], ids=repr)
def test_a_file_that_is_no_study_is_refused_in_one_sentence(study, content, capsys):
    study.write_bytes(content)
    assert run(study) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"segapp: {study}: ") and said.count("\n") == 1


def test_what_is_missing_is_named(tmp_path, study, capsys, monkeypatch):
    assert main(["depth", "--output", str(tmp_path / "none")]) == 2
    assert "--config configs/studies/vanishing_gradient.yaml" in capsys.readouterr().err
    assert main(["depth", "--output", str(tmp_path / "none"), "--redraw"]) == 2
    assert "holds no profiles" in capsys.readouterr().err
    (tmp_path / "part").mkdir()
    header = "net,init,activation,depth,short,long,norm,seed,position,block,rms_gradient,rms_output,expected\n"
    (tmp_path / "part" / "profiles.csv").write_text(f"{header}chain,he,relu,2,none,none,none,0,0,a,1,1,1\n")
    assert main(["depth", "--output", str(tmp_path / "part"), "--redraw"]) == 2
    assert "not finished" in capsys.readouterr().err
    monkeypatch.setattr(command, "draw_all", lambda table, folder, command: None)
    assert run(study) == 0
    study.write_text(yaml.safe_dump(TINY | {"seeds": 2}))
    assert run(study) == 2
    assert "another study" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "studies").glob("vanishing_gradient*.yaml")), ids=str)
def test_the_studies_of_this_house_are_sound(path):
    assert len(list(command.read_grid(str(path)).list_variants())) >= 100


def test_the_smoke_study_is_one_that_the_test_of_the_pages_runs():
    config = "configs/studies/vanishing_gradient_smoke.yaml"
    assert f"\nsegapp depth --config {config} --output" in (ROOT / "docs/skip-connections.md").read_text()


def test_an_altered_table_is_named_when_redrawn(tmp_path, capsys):
    rows = [dict.fromkeys(COLUMNS, "x") | {"net": net} for net in ("chain", "unet")]
    with (tmp_path / TABLE).open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    assert main(["depth", "--output", str(tmp_path), "--redraw"]) == 1
    assert TABLE in capsys.readouterr().err


def test_a_folder_of_the_default_name_that_is_a_link_is_not_written_to(study, tmp_path, monkeypatch, capsys):
    (tmp_path / "home").mkdir()
    (tmp_path / "work" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    Path("runs/depth").symlink_to(tmp_path / "home")
    assert main(["depth", "--config", str(study)]) == 2
    assert "runs/depth: a link" in capsys.readouterr().err and not list((tmp_path / "home").iterdir())
