"""The short help of `fit`, `validate` and `test`."""

import pytest

from segapp.cli import TRAINER_VERBS, main


@pytest.mark.parametrize("verb", TRAINER_VERBS)
def test_the_help_of_a_verb_fits_on_a_screen_and_names_its_options(verb, capsys):
    assert main([verb, "--help"]) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) < 45
    assert f"segapp {verb} " in printed
    assert "--ckpt_path" in printed


def test_the_full_help_lists_what_the_short_one_names(capsys):
    assert main(["fit", "--help_all"]) == 0
    everything = capsys.readouterr().out
    main(["fit", "--help"])
    named = {word for word in capsys.readouterr().out.split() if word.startswith("--") and "init_args" not in word}
    assert named - {"--help_all"}
    for option in named - {"--help_all"}:
        assert option in everything
