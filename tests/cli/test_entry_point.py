"""`segapp` itself: version, light imports, exit codes, misplaced words."""

import os
import subprocess
import sys

import pytest

from segapp import __version__
from segapp.cli import main


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"segapp {__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["fit", "--help"], ["test", "-h"]], ids=" ".join)
def test_help_and_version_import_nothing_heavy(words):
    code = f"import sys; from segapp.cli import main; main({words!r}); print(sorted(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("torch", "numpy", "lightning", "jsonargparse", "cv2"):
        assert f"'{heavy}'" not in printed


@pytest.mark.parametrize(
    "words", [["fit", "--foo"], ["test", "--ckpt_path", "absent.ckpt"], ["predict", "--imges", "here"]], ids=" ".join
)
def test_a_mistake_is_reported_before_anything_heavy_is_imported(words):
    code = f"import sys; from segapp.cli import main; assert main({words!r}) == 2; print(sorted(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("torch", "numpy", "lightning", "jsonargparse", "cv2", "tifffile"):
        assert f"'{heavy}'" not in printed


def test_the_help_of_predict_names_its_options(capsys):
    assert main(["predict", "--help"]) == 0
    printed = capsys.readouterr().out
    for option in ("--ckpt_path", "--images", "--output", "--save", "--overwrite"):
        assert option in printed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["compare", "--output", "x", "A", "B"], "'A' stands alone: the values of --runs may come first, any other"),
        (["doctor", "a&b"], "'a&b' stands alone: a value follows its option, as --runs 'a&b'."),
        (["predict", "--ckpt_path", "--images", "x"], "--ckpt_path needs a value: --ckpt_path VALUE."),
        (["predict", "--images", "x", "--ckpt_path"], "--ckpt_path needs a value: --ckpt_path VALUE."),
        (["study", "x.yaml"], "'x.yaml' stands alone: a config is given as --config x.yaml,"),
        (["study", "--config", "x" * 300], "this is too long for the name of a file: xxx"),
        (["test", "--ckpt_path", "x" * 300], "this is too long for the name of a file: xxx"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_a_misplaced_word_is_explained_in_the_words_of_its_command(words, expected, capsys):
    assert main(words) == 2
    assert f"segapp: {expected}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["fit", "--config", "PIPE"], ["predict", "--ckpt_path=PIPE"], ["study", "PIPE"]])
def test_a_pipe_is_refused_before_it_is_read(words, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.yaml")
    assert main([word.replace("PIPE", str(tmp_path / "pipe.yaml")) for word in words]) == 2
    assert "pipe.yaml: is a named pipe" in capsys.readouterr().err


def test_processes_that_are_started_import_nothing_from_the_current_folder(tmp_path):
    """Workers and their resource tracker are started by `python -c`, which looks there first."""
    (tmp_path / "multiprocessing.py").write_text("open('ran', 'w').close()\n")
    code = (
        "import subprocess, sys; from segapp.cli import main; sys.argv = ['segapp', '--version']; main();"
        "subprocess.run([sys.executable, '-c', 'import multiprocessing'], check=True)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True)
    assert not (tmp_path / "ran").exists()


def test_child_processes_of_a_script_that_calls_segapp_import_nothing_from_its_folder(monkeypatch):
    """multiprocessing starts its resource tracker as `python -c`, which would import a ./signal.py."""
    monkeypatch.setenv("PYTHONSAFEPATH", "")  # to Python, as if it were not set
    main(["--version"])
    child = subprocess.run([sys.executable, "-c", "import sys; print(sys.flags.safe_path)"], capture_output=True)
    assert child.stdout.strip() == b"True"
