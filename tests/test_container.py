"""The container's files agree with the project and with each other; docker/check.sh runs them for real."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from segapp import __version__
from segapp.system.checks import DRIVER_OF_CUDA

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SCRIPTS = [*DOCKER.rglob("*.sh"), *DOCKER.rglob("*.sbatch"), *(ROOT / "tests" / "scripts").glob("*.sh")]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (KEYWORD, rest), continuation lines joined and comments left out."""
    lines = [line for line in (DOCKER / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def of(keyword: str) -> list[str]:
    return [rest for word, rest in instructions() if word == keyword]


def settings() -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in of("ENV") for pair in rest.split())


def locked() -> dict[str, Requirement]:
    """The pins of the image by the names of their packages, without hashes."""
    text = (DOCKER / "requirements.lock").read_text()
    lines = re.sub(r"\\\n\s*--hash=\S+", "", text).splitlines()
    pins = [Requirement(line.replace("\\", "")) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins if pin.marker is None or pin.marker.evaluate(LINUX)}


LINUX = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}
LINUX |= {"python_version": "3.12", "python_full_version": "3.12.0"}


def test_what_is_installed_is_what_the_project_needs():
    (install,) = [rest for rest in of("RUN") if "requirements.lock" in rest]
    assert "--require-hashes -r /opt/segapp/requirements.lock" in install
    pins = locked()
    for needed in map(Requirement, PROJECT["dependencies"] + PROJECT["optional-dependencies"]["pretrained"]):
        (pin,) = pins[canonicalize_name(needed.name)].specifier
        assert pin.operator == "==" and needed.specifier.contains(pin.version)


def test_the_image_has_the_versions_of_the_constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    known = {canonicalize_name(one.name): one for one in wanted if one.marker is None or one.marker.evaluate(LINUX)}
    assert {name: str(pin.specifier) for name, pin in locked().items()} == {
        name: str(known[name].specifier) for name in locked()
    }


def test_every_pin_has_hashes_and_no_address():
    text = (DOCKER / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[a-z])", text[text.index("\nabsl") + 1 :])
    assert len(blocks) > 50
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert "://" not in text and "@" not in text


def test_the_base_is_an_argument():
    """A digest takes the place of the tag, which moves."""
    bases = [rest.split()[0] for rest in of("FROM")]
    assert bases == ["${BASE}", "${BASE}"]


def test_only_what_is_copied_travels_into_a_build():
    copied = {word for rest in of("COPY") if not rest.startswith("--from") for word in rest.split()[:-1]}
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert [line for line in lines[1:] if not line.startswith("!")] == ["**/__pycache__"]
    for path in copied:
        assert (ROOT / path).exists()


def test_its_user_is_a_number_and_not_root():
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", of("USER")[-1])


def test_its_python_is_one_the_project_supports():
    (version,) = re.findall(r"^BASE=python:(\d+\.\d+)-slim", "\n".join(of("ARG")), re.MULTILINE)
    assert version in SpecifierSet(PROJECT["requires-python"])


def test_it_says_what_it_is():
    (label,) = of("LABEL")
    keys = re.findall(r"org\.opencontainers\.image\.(\w+)=", label)
    assert keys == ["title", "description", "licenses", "version", "revision", "created"]
    assert f'description="{PROJECT["description"]}"' in label
    assert f'licenses="{PROJECT["license"]}"' in label
    assert f"VERSION={__version__}" in of("ARG")


def test_libraries_keep_things_in_one_folder():
    kept = {name: value for name, value in settings().items() if value.startswith("/") and name != "PATH"}
    assert {"HOME", "XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME", "MPLCONFIGDIR"} <= kept.keys()
    assert all(Path(value).is_relative_to("/cache") for value in kept.values())


def test_signals_reach_the_training_and_its_health_is_cheap_to_ask():
    assert of("ENTRYPOINT") == ['["tini", "--", "segapp"]']
    assert of("HEALTHCHECK")[0].endswith('CMD ["segapp", "--version"]')


@pytest.mark.parametrize("page", ["docker/Dockerfile", "docs/container.md"])
def test_the_driver_that_is_asked_for_is_that_of_the_constraints(page):
    (cuda,) = re.findall(r"^cuda-toolkit==(\d+)\.", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert str(DRIVER_OF_CUDA[int(cuda)]) in (ROOT / page).read_text()


@pytest.mark.parametrize("path", [*DOCKER.rglob("*.*"), DOCKER / "Dockerfile", ROOT / ".dockerignore"], ids=str)
def test_no_registry_is_named(path):
    text = path.read_text().replace("kubeflow.org/v1", "").replace("org.opencontainers.image", "")
    assert not re.search(r"https?://|index-url|\b(docker|ghcr|nvcr|quay|gcr)\.io\b|\.amazonaws\.", text)


def compose() -> dict:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_compose_has_a_service_for_each_job():
    services = compose()["services"]
    assert services.keys() == {"fit", "fit-cpu", "predict", "predict-cpu", "tensorboard"}
    for name, service in services.items():
        verb = name.removesuffix("-cpu")
        program = ["tensorboard"] if verb == "tensorboard" else ["segapp", verb]
        assert service["entrypoint"] == ["tini", "--", *program]
        assert ("deploy" in service) == (name in ("fit", "predict"))


def test_compose_runs_them_as_the_image_does_and_with_nothing_to_spare():
    for service in compose()["services"].values():
        assert service["user"] == f"${{SEGAPP_USER:-{of('USER')[-1]}}}"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["shm_size"] == "8gb"
        assert service["stop_grace_period"] == "2m"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_compose_mounts_folders_that_exist_in_the_image_or_are_made_by_nobody():
    for service in compose()["services"].values():
        folders = [volume for volume in service["volumes"] if isinstance(volume, dict)]
        assert all(volume["target"].startswith("/workspace/") for volume in folders)
        assert all(volume["bind"] == {"create_host_path": False} for volume in folders)  # root would own a new one
        assert "cache:/cache" in service["volumes"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts_are_sound(path):
    assert path.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", path]).returncode == 0
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    assert shellcheck, "pip install -e '.[dev]' brings it"
    found = subprocess.run([shellcheck, "-s", "bash", path], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
