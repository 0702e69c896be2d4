"""Threads run ahead a bounded distance, and errors stay with their item."""

import threading
import time

import pytest

from segapp.inference.prefetch import prefetch


def test_results_come_in_the_order_of_the_items():
    def slow_if_even(number):
        time.sleep(0.02 if number % 2 == 0 else 0)
        return number * 10

    pairs = [(item, future.result()) for item, future in prefetch(slow_if_even, range(8), workers=3, depth=4)]
    assert pairs == [(number, number * 10) for number in range(8)]


def test_no_more_is_taken_than_the_depth_allows():
    drawn = []

    def items():
        for number in range(10):
            drawn.append(number)
            yield number

    for handed_out, (_, future) in enumerate(prefetch(str, items(), workers=2, depth=3), start=1):
        future.result()
        assert len(drawn) <= handed_out + 3


def test_work_overlaps_with_the_caller():
    begun = threading.Event()

    def function(number):
        if number == 1:
            begun.set()
        return number

    for number, future in prefetch(function, range(2)):
        future.result()
        if number == 0:
            assert begun.wait(5)


def test_an_error_is_raised_by_its_own_item_only():
    outcomes = []
    for item, future in prefetch(lambda number: 1 // number, [1, 0, 1], depth=3):
        try:
            outcomes.append(future.result())
        except ZeroDivisionError:
            outcomes.append(f"item {item}")
    assert outcomes == [1, "item 0", 1]


def test_work_not_begun_is_dropped_when_the_caller_stops():
    begun = []

    def slow(number):
        begun.append(number)
        time.sleep(0.05)

    for _ in prefetch(slow, range(20), depth=10):
        break
    assert len(begun) < 5


def test_a_caller_that_stops_leaves_no_thread_behind():
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        for _ in prefetch(time.sleep, [0.01] * 50, workers=2, depth=10):
            raise KeyboardInterrupt
    assert threading.active_count() == before


def test_one_reader_ahead_of_another_loses_nothing_at_the_end():
    """The inner one ends while its last results are still to be made: they were cancelled."""

    def slowly(item):
        time.sleep(0.05)
        return item

    inner = prefetch(slowly, range(4))
    outer = prefetch(lambda job: job[1].result(), inner, workers=2, depth=2)
    assert [answer.result() for _, answer in outer] == [0, 1, 2, 3]
