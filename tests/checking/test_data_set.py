"""How rules report what they find."""

from segapp.checking.data_set import DataSet, list_names, make_warning
from tests.checking.shapes import draw
from tests.checking.test_facts import facts_of


def test_names_are_listed_to_a_third_and_a_warning_has_all():
    image, mask = draw(0)
    facts = facts_of(*[(image, mask // 255)] * 5)
    assert list_names(facts[:2]) == "'0', '1'"
    assert list_names(facts) == "'0', '1', '2' and 2 more"
    problem = make_warning("image", "found", facts, "exclude")
    assert (problem.severity, problem.items, problem.setting) == ("warning", tuple("01234"), "exclude")


def test_what_could_not_be_read_is_not_described():
    image, mask = draw(0)
    facts = tuple(facts_of((image, mask // 255), (image, mask // 255 * 7)))
    data = DataSet(facts, ("a", "b"), 0)
    assert [one.name for one in data.described] == ["0"]
    assert len(data.of("train")) == 2 and not data.of("val")
