"""A bundle is read from its folder alone, and nothing outside is."""

import json

import pytest

from segapp.checkpoints.bundle import FILES, is_bundle, make_manifest, name_networks, read_bundle
from segapp.errors import MisuseError
from tests.inference.checkpoints import make_spec


def write_bundle(folder, format="onnx", count=1, damage=None):
    """Write a bundle whose networks are empty files: reading one opens none."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = make_manifest(format, "fp32", [1.0] * count, "1.0", True) | (damage or {})
    (folder / "bundle.json").write_text(json.dumps(manifest))
    (folder / "spec.json").write_text(json.dumps(make_spec().to_dict()))
    for name in name_networks(format, count):
        for suffix in FILES[format]:
            (folder / name).with_suffix(suffix).touch()
    return folder


def refusal(folder):
    with pytest.raises(MisuseError) as caught:
        read_bundle(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("format", "count", "files"),
    [
        ("onnx", 1, ["network.onnx"]),
        ("openvino", 1, ["network.xml"]),
        ("weights", 2, ["network-1.safetensors", "network-2.safetensors"]),
    ],
)
def test_a_bundle_says_what_it_holds(tmp_path, format, count, files):
    folder = write_bundle(tmp_path / "bundle", format, count)
    found = read_bundle(folder)
    assert is_bundle(folder) and not is_bundle(tmp_path)
    assert (found.format, found.dtype, found.window_statistics, found.spec) == (format, "fp32", True, make_spec())
    assert [path.relative_to(folder).as_posix() for path in found.networks] == files


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "tensorflow"},
        {"format": ["onnx"]},
        {"dtype": "fp8"},
        {"networks": []},
        {"networks": "network.onnx"},
        {"networks": ["network.onnx"] * 65},
    ],
)
def test_a_damaged_manifest_is_refused_with_its_file(tmp_path, changes):
    assert "bundle.json" in refusal(write_bundle(tmp_path, damage=changes))


@pytest.mark.parametrize(
    "name", ["../network.onnx", "/etc/passwd", "a/network.onnx", "a\\network.onnx", "..", "", "network.xml", 3, None]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    assert repr(name) in refusal(write_bundle(tmp_path, damage={"networks": [name]}))


def test_a_missing_file_and_a_link_out_are_refused(tmp_path):
    folder = write_bundle(tmp_path / "bundle", "openvino")
    (folder / "network.bin").unlink()
    assert "network.bin is missing" in refusal(folder)
    (tmp_path / "elsewhere.bin").touch()
    (folder / "network.bin").symlink_to(tmp_path / "elsewhere.bin")
    assert str(tmp_path / "elsewhere.bin") in refusal(folder)


def test_other_versions_programs_and_folders_are_refused(tmp_path):
    assert "export again" in refusal(write_bundle(tmp_path / "old", damage={"version": 0}))
    assert "--format onnx" in refusal(write_bundle(tmp_path / "program", "pt2"))
    refusal(tmp_path / "nothing")


@pytest.mark.parametrize("temperatures", [[1.0], "1.0", [1.0, 0.0], [1.0, float("nan")], [1e300, 1.0], [1.0, "2"]])
def test_a_damaged_temperature_is_refused(tmp_path, temperatures):
    assert "temperature" in refusal(write_bundle(tmp_path, count=2, damage={"temperatures": temperatures}))


def test_every_network_has_its_temperature(tmp_path):
    assert read_bundle(write_bundle(tmp_path / "a", count=2, damage={"temperatures": [2, 0.5]})).temperatures == (
        2,
        0.5,
    )
    assert read_bundle(write_bundle(tmp_path / "b", count=2, damage={"temperatures": None})).temperatures == (1, 1)
