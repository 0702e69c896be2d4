"""Only the settings in which configs differ are listed."""

from segapp.lab.study.differences import find_differing_settings


def test_settings_that_are_not_the_same_in_all_configs_are_rows():
    plain = {"name": "a", "seed_everything": 0, "data": {"crop": 64}, "model": {"loss": "dice"}}
    other = {"name": "b", "seed_everything": 1, "data": {"crop": 32, "resize": 8}, "model": {"loss": "dice"}}
    assert find_differing_settings({"plain": plain, "other": other}) == [
        {"setting": "data.crop", "plain": "64", "other": "32"},
        {"setting": "data.resize", "plain": "–", "other": "8"},
    ]
