"""The current folder is a place of imports for what the user named, and for nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segapp.cli import main
from segapp.errors import MisuseError
from segapp.system.user_modules import (
    leave_current_folder,
    list_library_folders,
    refuse_local_libraries,
    refuse_local_matplotlibrc,
    search_current_folder,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A current folder with modules of the user's, which is not searched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    for name in ("my_own_nets.py", "json.py", "torch.py"):
        Path(name).write_text("")
    Path("my_own_package").mkdir()


@pytest.mark.parametrize("name", ["my_own_nets.Net", "my_own_package.nets.Net", "my_own_nets"])
def test_a_module_that_the_user_named_is_searched_last(elsewhere, name):
    search_current_folder([name])
    assert sys.path[-1] == "" and sys.path.count("") == 1
    search_current_folder([name])
    assert sys.path.count("") == 1


@pytest.mark.parametrize(
    "name", ["torch.nn.Module", "json.Net", "not_there.Net", "segapp.models.UNet", "../evil.Net", "", "."]
)
def test_other_names_do_not_open_the_folder(elsewhere, name):
    search_current_folder([name])
    assert "" not in sys.path


def test_python_m_leaves_the_folder_unless_segapp_lies_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), "/somewhere"])
    monkeypatch.chdir(tmp_path)
    leave_current_folder()
    assert sys.path == ["/somewhere"]
    monkeypatch.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    leave_current_folder()
    assert sys.path == [str(ROOT), "/somewhere"]


PROGRAM = ["-P", "-c", "import sys; from segapp.cli import main; sys.exit(main())"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [PROGRAM, ["-m", "segapp"]], ids=["segapp", "python -m segapp"])
def test_a_file_beside_the_images_with_the_name_of_a_library_does_not_run(tmp_path, words):
    """ruamel, jsonschema, requests … are asked for by libraries, and are not installed."""
    for name in ("ruamel", "jsonschema", "_jsonnet", "toml", "omegaconf", "requests", "dill", "org", "argcomplete"):
        (tmp_path / f"{name}.py").write_text("from pathlib import Path; Path('ran').touch()")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, *words, "doctor"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert "torch" in run.stdout
    assert not (tmp_path / "ran").exists()


def test_settings_of_matplotlib_beside_the_images_are_refused(tmp_path, monkeypatch, capsys):
    """Every process that imports matplotlib would read them: a pipe waits for ever, a large file fills the memory."""
    monkeypatch.chdir(tmp_path)
    Path("matplotlibrc").mkdir()
    refuse_local_matplotlibrc()
    Path("matplotlibrc").rmdir()
    os.mkfifo("matplotlibrc")
    assert main(["doctor", "--nonsense"]) == 2
    assert "segapp: matplotlibrc: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["libcuda.so.1", "libz.so", "libpython3.11.so.1.0", "ld-linux-x86-64.so.2", "glibc-hwcaps"]
)
def test_a_system_library_beside_the_images_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for harmless in ("mynets.cpython-311-x86_64-linux-gnu.so", "library.sort", "a.so", "liberty.png"):
        Path(harmless).touch()
    refuse_local_libraries()
    Path(name).touch()
    with pytest.raises(MisuseError, match=name):
        refuse_local_libraries()
    assert main(["doctor"]) == 2 and main(["--version"]) == 0


def test_the_current_folder_is_no_place_of_libraries(monkeypatch):
    for given, expected in (("/a:", "/a"), (":/a::/b", "/a:/b")):
        monkeypatch.setenv("LD_LIBRARY_PATH", given)
        assert list_library_folders() == expected
    for empty in ("", ":"):
        monkeypatch.setenv("LD_LIBRARY_PATH", empty)
        assert not Path(list_library_folders()).exists() and Path(list_library_folders()).is_absolute()
