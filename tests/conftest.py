"""No network, no surprises: what every test stands on."""

import gc
import os
import warnings

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are busy
settings.load_profile("no clock")
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
if (processes := os.environ.get("PYTEST_XDIST_WORKER_COUNT")) is not None:  # they share the cores: a third less time
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(processes))))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"


def pytest_collection(session):
    """Collect thousands of tests without searching all that was imported for garbage again and again: 4 s of 27."""
    gc.disable()


def pytest_collection_finish(session):
    """Search only what the tests make from here on: modules and tests stay until the end."""
    gc.enable()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """A command tells the processes it starts something through the environment: not the next test."""
    for name in ("SEGAPP_RUN_FOLDER", "PYTHONSAFEPATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def without_curves():
    """Draw no learning curves after each epoch: a third of a run of such sizes, for a figure that no test looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segapp.callbacks.curves.draw_curves", lambda rows, path, spec: None)
        yield


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """Two checkpoints, four images, and a bundle of each format, made once: tests add to the folder only."""
    from tests.export.bundles import write_exports  # imports torch

    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of torch's exporter and onnxscript
        return write_exports(tmp_path_factory.mktemp("exports"))


def pytest_collection_modifyitems(items):
    """Begin with what takes minutes: at the end one worker would do it while the others wait."""
    items.sort(key=lambda item: item.get_closest_marker("first") is None)
