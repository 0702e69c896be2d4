"""Where variants run on a Ray cluster; tests/lab/study/test_command.py runs a study on one."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from segapp.errors import MisuseError
from segapp.lab.study.cluster import Cluster, open_cluster


def ray_of(*hosts: dict[str, float]):
    return SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": host} for host in hosts])


@pytest.mark.parametrize(
    ("hosts", "workers", "count", "threads"),
    [
        ([{"CPU": 4.0}, {"CPU": 2.0}], None, 6, 1),  # one per core
        ([{"CPU": 16.0, "GPU": 2.0}, {"CPU": 8.0, "GPU": 1.0}], None, 3, 8),  # one per GPU
        ([{"CPU": 8.0}, {"CPU": 2.0}], 2, 2, 2),  # five cores each would not fit on the small host
        ([{"CPU": 2.0}], 8, 8, 1),
        ([{"CPU": 2.0}, {"GPU": 8.0}], None, 2, 1),  # a host without a core to give takes no variant
    ],
)
def test_slots_of_a_cluster(hosts, workers, count, threads):
    slots = Cluster(ray_of(*hosts), workers).slots
    assert len(slots) == count
    assert {(slot.device, slot.threads) for slot in slots} == {(None, threads)}


@pytest.mark.parametrize(("workers", "share"), [(None, 1), (1, 1), (2, 1), (3, 0.5), (4, 0.5), (5, 1 / 3)])
def test_jobs_share_gpus_such_that_all_find_room(workers, share):
    """Two thirds of a GPU each would leave the third of three jobs waiting."""
    assert Cluster(ray_of({"CPU": 16.0, "GPU": 2.0}), workers).gpu_fraction == share
    assert Cluster(ray_of({"CPU": 16.0}), workers).gpu_fraction == 0


@pytest.mark.parametrize(
    ("hosts", "workers", "match"), [([], None, "no host"), ([{"CPU": 2.0}], 0, "workers must be 1")]
)
def test_a_cluster_without_room_is_refused(hosts, workers, match):
    with pytest.raises(MisuseError, match=match):
        Cluster(ray_of(*hosts), workers)


def test_without_ray_one_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MisuseError, match=r"--ray .*'\.\[ray\]'"), open_cluster("auto", None):
        pass


def test_no_cluster_at_the_address(monkeypatch):
    def init(address, **_):
        raise ConnectionError("nobody answers")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    with pytest.raises(MisuseError, match="no Ray cluster at 'auto' \\(nobody answers\\)"), open_cluster("auto", None):
        pass


def test_workers_import_no_module_that_lies_beside_the_images(tmp_path, monkeypatch):
    """Ray's workers search the folder in which it was opened first, and start in it: it must stay there meanwhile."""
    places = []
    stand_in = ray_of({"CPU": 1.0})
    stand_in.init = lambda **_: places.append(Path.cwd())
    stand_in.shutdown = lambda: places.append(places[0].is_dir())
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "segapp.py").touch()
    with open_cluster("local", None):
        assert Path.cwd() == tmp_path and places[0] != tmp_path and not any(places[0].iterdir())
    assert places[1] and not places[0].exists()
