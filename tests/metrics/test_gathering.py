"""Objects of all processes; of several in tests/metrics/test_score_collector.py."""

from segapp.metrics.gathering import gather_objects


def test_a_process_by_itself_has_only_its_own():
    own = {"a": 1}
    assert gather_objects(own)[0] is own and len(gather_objects(own)) == 1
