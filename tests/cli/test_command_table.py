"""The help that lists the commands, and the messages for unknown ones."""

from segapp.cli import COMMANDS, TRAINER_VERBS, main


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for command in [*TRAINER_VERBS, *COMMANDS]:
        assert f"  {command} " in printed


def test_no_command_is_a_request_for_help(capsys):
    assert main([]) == 0
    assert "Start here" in capsys.readouterr().out


def test_a_misspelt_command_gets_a_suggestion(capsys):
    assert main(["predct"]) == 2
    assert "did you mean 'predict'?" in capsys.readouterr().err


def test_an_option_in_place_of_a_command_is_explained(capsys):
    assert main(["--config", "x.yaml"]) == 2
    assert "the first word is a command" in capsys.readouterr().err
