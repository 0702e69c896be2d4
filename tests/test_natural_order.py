"""Names are sorted by the numbers in them."""

from segapp.natural_order import make_natural_key


def test_natural_order_counts() -> None:
    assert sorted(["b10", "b9", "a", "b09x"], key=make_natural_key) == ["a", "b9", "b09x", "b10"]


def test_digits_that_are_no_decimals_are_letters() -> None:
    assert sorted(["x\u00b2", "x10", "x9"], key=make_natural_key) == ["x9", "x10", "x\u00b2"]


def test_numbers_of_any_length_have_a_place() -> None:
    """Python converts no more than 4,300 digits."""
    assert sorted(["9" * 5000, "10", "2"], key=make_natural_key) == ["2", "10", "9" * 5000]
