"""Comments of a config stay with their settings."""

import yaml

from segapp.io.yaml_comments import format_setting, keep_comments, read_comments

TEXT = """# the file's own
#
# in two parts
name: a
data:
  # why this source
  source:
    class_path: x.Folder
    init_args:
      # here
      root: data
  # one reason:
  # on two lines
  crop: [64, 64]

  # commented away

  batch_size: 4
trainer:
  callbacks:
  # inside a list
  - class_path: a.B
    init_args:
      # of a callback
      decay: 0.9
  # the end
  max_steps: 10
"""
COMMENTS = {
    "data.source": "why this source",
    "data.source.init_args.root": "here",
    "data.crop": "one reason: on two lines",
    "trainer.max_steps": "the end",
}


def test_the_comment_above_a_setting_is_read_by_its_key():
    assert read_comments(TEXT) == COMMENTS


def test_what_is_written_is_read_again():
    config = yaml.safe_load(TEXT)
    lines = [line for key, value in config.items() for line in format_setting(key, value, key, COMMENTS)]
    assert yaml.safe_load("\n".join(lines)) == config
    assert read_comments("\n".join(lines)) == COMMENTS


def test_a_comment_says_where_the_value_is_another():
    former = yaml.safe_load(TEXT)
    now = yaml.safe_load(TEXT)
    now["data"]["crop"] = [32, 32]
    now["data"]["source"]["init_args"]["more"] = 1  # a default, not a change
    del now["trainer"]["max_steps"]
    assert keep_comments(TEXT, former, now) == {
        "data.source": "why this source",
        "data.source.init_args.root": "here",
        "data.crop": "Changed from [64, 64]. one reason: on two lines",
    }


def test_a_text_of_several_lines_holds_no_setting_of_its_own():
    config = {"data": {"note": "a: 1\n# no comment\ncrop: 2", "crop": 3}}
    lines = format_setting("data", config["data"], "data", {"data.crop": "why"})
    assert yaml.safe_load("\n".join(lines)) == config
    assert lines[-2:] == ["  # why", "  crop: 3"]
