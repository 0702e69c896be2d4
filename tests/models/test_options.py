import pytest

from segapp.errors import MisuseError
from segapp.models.options import LongSkipMode, expand_levels, require_at_least, require_choice


def test_a_word_outside_the_choices_is_refused_with_the_words_allowed():
    assert require_choice("long_skip", "add", LongSkipMode) == "add"
    with pytest.raises(MisuseError, match=r"long_skip takes none \| add \| concat, got 'sum'"):
        require_choice("long_skip", "sum", LongSkipMode)


def test_one_value_serves_every_level_and_a_list_must_fit():
    assert expand_levels("blocks", 2, 3) == [2, 2, 2]
    assert expand_levels("long_skip", ("add", "none"), 2) == ["add", "none"]
    with pytest.raises(MisuseError, match=r"blocks needs .* the 3 levels .* got 2"):
        expand_levels("blocks", [1, 2], 3)


def test_whole_numbers_have_a_least():
    with pytest.raises(MisuseError, match="layers must be whole numbers, 1 or more, got 0"):
        require_at_least("layers", 0)
