"""Where a fit and an evaluation are written."""

from pathlib import Path

import pytest
from jsonargparse import Namespace

from segapp.cli.arguments import Arguments
from segapp.cli.run_place import place_fit, place_results
from segapp.errors import MisuseError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("SEGAPP_RUN_FOLDER", "TORCHELASTIC_RUN_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkpoint(tmp_path) -> str:
    """A checkpoint in a run."""
    run = tmp_path / "runs/old/1"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").touch()
    return str(run / "checkpoints/last.ckpt")


def make_settings(checkpoint: str | None = None, root: str | None = None, job: str | None = None) -> Namespace:
    return Namespace(ckpt_path=checkpoint, name="new", job=job, trainer=Namespace(default_root_dir=root))


def test_a_new_fit_has_a_folder_of_its_own():
    folder, is_resumed = place_fit(make_settings(job="one"), Arguments("fit", []))
    assert (folder, is_resumed) == (Path("runs/new/one"), False) and folder.is_dir()


def test_a_resumed_fit_stays_in_its_folder(checkpoint):
    folder, is_resumed = place_fit(make_settings(checkpoint), Arguments("fit", []))
    assert folder == Path(checkpoint).parents[1] and is_resumed
    with pytest.raises(MisuseError, match="--name"):
        place_fit(make_settings(checkpoint), Arguments("fit", ["--name", "x"]))


def test_a_fit_resumes_in_no_folder_with_links_out(checkpoint, tmp_path):
    (tmp_path / "home").mkdir()
    (Path(checkpoint).parents[1] / "samples").symlink_to(tmp_path / "home")
    with pytest.raises(MisuseError, match="samples: a link"):
        place_fit(make_settings(checkpoint), Arguments("fit", []))


def test_results_lie_in_the_run_of_their_checkpoint(checkpoint):
    assert place_results(make_settings(checkpoint), Arguments("test", [])) == Path(checkpoint).parents[1] / "test-1"
    assert place_results(make_settings(), Arguments("test", [])) == Path("runs/new/test-1")


def test_a_root_that_the_user_names_prevails(checkpoint):
    typed = Arguments("validate", ["--trainer.default_root_dir", "there"])
    assert place_results(make_settings(checkpoint, "there"), typed) == Path("there/new/validate-1")


def test_the_folder_of_a_job_holds_no_links_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/tiny/j1").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "runs/tiny/j1/checkpoints").symlink_to(tmp_path / "home")
    settings = Namespace(ckpt_path=None, name="tiny", job="j1", trainer=Namespace(default_root_dir="runs"))
    with pytest.raises(MisuseError, match="out of"):
        place_fit(settings, Arguments("fit", ["--job", "j1"]))


@pytest.mark.parametrize("link", ["runs/new", "runs/new/one"])
def test_a_fit_is_not_written_through_a_link(link):
    home = Path("home/one")
    home.mkdir(parents=True)
    Path(link).parent.mkdir(parents=True)
    Path(link).symlink_to(Path.cwd() / "home")
    with pytest.raises(MisuseError, match=f"{link}: a link"):
        place_fit(make_settings(job="one"), Arguments("fit", []))
    assert not list(home.iterdir()) and [path.name for path in home.parent.iterdir()] == ["one"]


def test_results_are_not_written_through_a_link(checkpoint, tmp_path):
    (tmp_path / "home").mkdir()
    (Path(checkpoint).parents[1] / "test-one").symlink_to("../../../home")
    with pytest.raises(MisuseError, match="test-one: a link"):
        place_results(make_settings(checkpoint, job="one"), Arguments("test", []))
    Path("runs/new").symlink_to("../home")
    with pytest.raises(MisuseError, match="runs/new: a link"):
        place_results(make_settings(), Arguments("test", []))


def test_a_checkpoint_that_lightning_would_take_up_unchecked_is_refused():
    Path("runs/new/one").mkdir(parents=True)
    Path("runs/new/one/hpc_ckpt_1.ckpt").touch()
    with pytest.raises(MisuseError, match="hpc_ckpt_1"):
        place_fit(make_settings(job="one"), Arguments("fit", []))


def test_a_name_that_a_logger_would_expand_is_refused():
    settings = make_settings()
    settings.name = "$HOME"
    with pytest.raises(MisuseError, match=r"without \$"):
        place_fit(settings, Arguments("fit", []))


def test_a_run_in_a_folder_that_tensorboard_would_expand_is_refused(tmp_path):
    run = tmp_path / "$HOME/run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").touch()
    with pytest.raises(MisuseError, match=r"has a \$"):
        place_fit(make_settings(str(run / "checkpoints/last.ckpt")), Arguments("fit", []))
