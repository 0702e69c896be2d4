"""Settings that contradict one another are refused before anything is made."""

import pytest
from jsonargparse import Namespace

from segapp.cli.arguments import Arguments
from segapp.cli.run_checks import check_run, check_trainer, drop_unused_loggers, fill_trainer
from segapp.errors import MisuseError


def make_settings(**changes) -> Namespace:
    trainer = Namespace(max_epochs=3, fast_dev_run=False)
    plain = {"ckpt_path": None, "new_split": False, "dry_run": False, "calibrate": None}
    for key, value in changes.items():
        (trainer if key in trainer else plain)[key] = value
    return Namespace(trainer=trainer, **plain)


@pytest.mark.parametrize(
    ("verb", "words", "changes", "named"),
    [
        ("fit", [], {"max_epochs": 0}, "max_epochs"),
        ("fit", [], {"ckpt_path": "a.ckpt", "fast_dev_run": True}, "fast_dev_run"),
        ("fit", [], {"new_split": True}, "--new_split"),
        ("test", [], {"dry_run": True}, "--dry_run"),
        ("test", [], {"calibrate": "new.ckpt", "ckpt_path": "a.ckpt"}, "--calibrate"),
        ("validate", [], {"calibrate": "new.ckpt"}, "--calibrate.*bundle"),
        ("validate", [], {"calibrate": "new.pt", "ckpt_path": "a.ckpt"}, r"--calibrate.*\.ckpt"),
        ("test", ["--init_from", "a.ckpt"], {}, "--init_from"),
        ("fit", ["--init_from", "a.ckpt"], {"ckpt_path": "b.ckpt"}, "--init_from"),
        ("test", ["--trainer.logger", "lightning.pytorch.loggers.WandbLogger"], {}, "--trainer.logger"),
    ],
)
def test_a_contradiction_names_the_option(verb, words, changes, named):
    with pytest.raises(MisuseError, match=named):
        check_run(make_settings(**changes), Arguments(verb, words), has_split=False)


def test_what_agrees_passes():
    check_run(make_settings(new_split=True, ckpt_path="a.ckpt"), Arguments("fit", []), has_split=True)
    check_run(make_settings(), Arguments("fit", ["--init_from", "a.ckpt"]), has_split=False)
    check_run(make_settings(max_epochs=0), Arguments("test", []), has_split=True)


@pytest.mark.parametrize(
    ("verb", "dry", "kept"), [("fit", False, "mine"), ("fit", True, False), ("test", False, False)]
)
def test_a_logger_that_logs_nothing_is_not_made(verb, dry, kept):
    """Comet's opens an experiment when it is made."""
    settings = Namespace(trainer=Namespace(logger="mine"), dry_run=dry)
    drop_unused_loggers(settings, verb)
    assert settings.trainer.logger == kept


@pytest.fixture
def trainer(monkeypatch) -> Namespace:
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return Namespace(
        precision=None,
        accelerator="cpu",
        strategy="auto",
        devices="auto",
        num_nodes=1,
        callbacks=None,
        logger=None,
        sync_batchnorm=False,
    )


def test_an_open_precision_is_chosen_and_reported(trainer, capsys):
    fill_trainer(trainer)
    assert trainer.precision in ("32-true", "bf16-mixed")
    assert trainer.precision in capsys.readouterr().out


def test_a_given_precision_stays(trainer, capsys):
    trainer.precision = "16-mixed"
    fill_trainer(trainer)
    assert trainer.precision == "16-mixed" and capsys.readouterr().out == ""


def test_a_strategy_that_is_unknown_is_refused(trainer):
    trainer.strategy = "fdsp"
    with pytest.raises(MisuseError, match="fsdp"):
        check_trainer(Namespace(trainer=trainer), "fit")
