"""Volumes are decoded once, in bounded memory."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np

from segapp.io.formats.volume_cache import VolumeCache


def test_the_volumes_last_asked_for_are_held_and_always_the_last():
    decoded = []

    def get(cache, key, size=40):
        def decode():
            decoded.append(key)
            return np.zeros(size, np.uint8)

        return cache.get(key, decode)

    cache = VolumeCache(100)
    for key in "abab":
        get(cache, key)
    assert decoded == ["a", "b"]
    get(cache, "c")
    get(cache, "b")
    get(cache, "a")
    assert decoded == ["a", "b", "c", "a"]
    for _ in range(3):
        assert not get(cache, "large", 1000).flags.writeable
    assert decoded[4:] == ["large"]


def test_a_volume_is_found_while_it_is_held_and_then_is_the_last_one():
    cache = VolumeCache(100)
    assert cache.find("a") is None
    held = cache.get("a", lambda: np.zeros(40, np.uint8))
    cache.get("b", lambda: np.zeros(40, np.uint8))
    assert cache.find("a") is held
    cache.get("c", lambda: np.zeros(40, np.uint8))
    assert cache.find("a") is held and cache.find("b") is None


def test_threads_that_ask_at_the_same_time_wait_for_one():
    decoded = []

    def decode():
        decoded.append(1)
        sleep(0.05)
        return np.zeros(9, np.uint8)

    cache = VolumeCache(100)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: cache.get("a", decode), range(8)))
    assert decoded == [1]


def test_a_volume_that_fails_is_tried_again():
    cache = VolumeCache(100)
    for _ in range(2):
        try:
            cache.get("a", lambda: (_ for _ in ()).throw(ValueError("broken")))
        except ValueError:
            continue
        raise AssertionError
    assert len(cache.get("a", lambda: np.zeros(3))) == 3
