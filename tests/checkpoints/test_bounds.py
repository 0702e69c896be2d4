"""What a file may cost is known before it is paid."""

import io
import struct
import tracemalloc
import zipfile

import pytest
import torch

from segapp.checkpoints.bounds import DEEPEST, MOST_SETTINGS, check_plain
from segapp.checkpoints.checkpoint import load_checkpoint, read_checkpoint
from segapp.errors import MisuseError
from tests.inference.checkpoints import record, write_checkpoint

ALLOWED = ["tests.inference.checkpoints"]


def written(path, **changes):
    content = {"state_dict": {"net.weight": torch.tensor(0.5)}, "segapp": record()}
    content["segapp"] |= {key: value for key, value in changes.items() if key in content["segapp"]}
    content |= {key: value for key, value in changes.items() if key not in content["segapp"]}
    torch.save(content, path)
    return path


def test_a_compressed_checkpoint_is_refused_before_it_expands(tmp_path):
    plain = io.BytesIO()
    torch.save({"state_dict": {"net.weight": torch.zeros(2**22)}, "segapp": record()}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(tmp_path / "a.ckpt", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert (tmp_path / "a.ckpt").stat().st_size < 2**20
    tracemalloc.start()
    with pytest.raises(MisuseError, match="expand"):
        read_checkpoint(tmp_path / "a.ckpt")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    path = written(tmp_path / "a.ckpt")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("big", bytes(20000))
        big = archive.getinfo("big")
        for number in range(9):
            again = zipfile.ZipInfo(f"big{number}")
            again.header_offset, again.file_size, again.compress_size, again.CRC = (
                big.header_offset,
                big.file_size,
                big.compress_size,
                big.CRC,
            )
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
        archive._didModify = True
    with pytest.raises(MisuseError, match="expand"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(10**6, 10**6),
        torch.empty(10**6, 10**6, device="meta"),
        torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.long), torch.ones(1), (2**40,), check_invariants=True),
    ],
    ids=["expanded", "meta", "sparse"],
)
@pytest.mark.parametrize("place", ["state_dict", "optimizer_states"])
def test_weights_larger_than_their_bytes_are_refused(tmp_path, tensor, place):
    path = written(tmp_path / "a.ckpt", **{place: {"net.weight": tensor}})
    with pytest.raises(MisuseError, match=r"tensor|damaged"):
        read_checkpoint(path)


def test_many_names_of_one_tensor_are_refused(tmp_path):
    shared = torch.zeros(2**18)
    path = written(tmp_path / "a.ckpt", state_dict={f"net.{number}": shared for number in range(9)})
    with pytest.raises(MisuseError, match="the file only"):
        read_checkpoint(path)


def bomb(levels):
    value = ["x"]
    for _ in range(levels):
        value = [value] * 10
    return value


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def around():
    value = []
    value.append(value)
    return value


ENDLESS = {"wide": bomb(9), "deep": deep(DEEPEST + 2), "round": around()}


@pytest.mark.parametrize("value", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("section", ["config", "net", "splits", "loops"])
def test_settings_that_repeat_without_end_are_refused(tmp_path, value, section):
    path = written(tmp_path / "a.ckpt", **{section: {"a": value}})
    with pytest.raises(MisuseError, match=r"more than|names"):
        read_checkpoint(path)


def test_settings_are_plain():
    check_plain({"a": [1, 2.0, "x", None, True], 3: {}})
    for value in (torch.zeros(1), b"x", 1j, {"a": {1, b"x"}}):
        with pytest.raises(MisuseError):
            check_plain({"a": value})
    with pytest.raises(MisuseError, match="values"):
        check_plain(list(range(MOST_SETTINGS + 1)))


@pytest.mark.parametrize("names", [{3: torch.zeros(1)}, {"net.weight": "text"}, {None: torch.zeros(1)}])
def test_weights_have_names_and_numbers(tmp_path, names):
    with pytest.raises(MisuseError, match="damaged"):
        read_checkpoint(written(tmp_path / "a.ckpt", state_dict=names))


@pytest.mark.parametrize(
    "settings",
    [
        {"blocks_per_level": 10**6},
        {"widths": [1] * 10**4},
        {"widths": [4, 8], "block": {"layers": 10**6}},
        {"widths": [2**20, 2**20], "blocks_per_level": 4},
        {"widths": [2**12, 2**12], "blocks_per_level": 4},
    ],
    ids=lambda settings: " ".join(settings),
)
def test_a_network_that_is_no_match_for_its_weights_is_never_made(tmp_path, monkeypatch, settings):
    encoder = {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4], **settings}}
    net = {"class_path": "segapp.models.UNet", "init_args": {"in_channels": 3, "num_classes": 2, "encoder": encoder}}
    path = write_checkpoint(tmp_path / "a.ckpt", net=net)
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *_: pytest.fail("was made"))
    with pytest.raises(MisuseError, match=r"parts|bytes|do not fit|values|is more than"):
        load_checkpoint(path)


def test_names_and_shapes_are_compared_before_memory_is_taken(tmp_path):
    """This one would take 20 GB."""
    encoder = {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [2**12] * 16}}
    net = {"class_path": "segapp.models.UNet", "init_args": {"in_channels": 3, "num_classes": 2, "encoder": encoder}}
    with pytest.raises(MisuseError):
        load_checkpoint(write_checkpoint(tmp_path / "a.ckpt", net=net))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Transformer", {"d_model": 1, "nhead": 1, "num_encoder_layers": 2**20, "dim_feedforward": 1}),
        ("TransformerEncoder", {"num_layers": 2**20}),
        ("LSTM", {"input_size": 1, "hidden_size": 1, "num_layers": 2**20}),
        ("Unfold", {"kernel_size": 3}),
        ("Identity", {}),
    ],
)
def test_a_class_of_torch_is_no_network(tmp_path, name, settings):
    """Some take hours to build before their parts could be counted, and none segments an image."""
    net = {"class_path": f"torch.nn.{name}", "init_args": settings}
    with pytest.raises(MisuseError, match=rf"--allow torch\.nn\.{name}"):
        load_checkpoint(write_checkpoint(tmp_path / "a.ckpt", net=net))


def test_an_honest_checkpoint_of_many_images_is_read(tmp_path):
    splits = {"train": [f"folder/image_{number:06}" for number in range(20_000)], "val": [], "test": []}
    path = written(tmp_path / "a.ckpt", splits=splits)
    _, _, found = load_checkpoint(path, ALLOWED)
    assert len(found["splits"]["train"]) == 20_000


def test_a_pickle_that_asks_for_memory_by_a_number_is_refused_unread(tmp_path):
    torch.save({}, tmp_path / "plain.ckpt")
    call = b"cbuiltins\nbytearray\nJ" + struct.pack("<i", 2**31 - 1) + b"\x85R"
    with zipfile.ZipFile(tmp_path / "plain.ckpt") as plain, zipfile.ZipFile(tmp_path / "bomb.ckpt", "w") as bomb:
        for entry in plain.infolist():
            content = b"\x80\x02](" + call + b"e." if entry.filename.endswith(".pkl") else plain.read(entry)
            bomb.writestr(entry.filename, content)
    with pytest.raises(MisuseError, match=r"bomb\.ckpt.*builtins\.bytearray"):
        read_checkpoint(tmp_path / "bomb.ckpt")


@pytest.mark.parametrize(
    "change",
    [
        lambda zipped: b"PK\x03\x04" + zipped,  # Python's reader allows what stands before, and shifts all places
        lambda zipped: zipped[:-22] + b"between" + zipped[-22:],
        lambda zipped: zipped[:-2] + b"\x05\x00hello",
        lambda zipped: zipped + b"\0",
    ],
    ids=["before", "between", "comment", "after"],
)
def test_a_directory_that_readers_find_in_two_places_is_refused(tmp_path, change):
    path = written(tmp_path / "a.ckpt", splits={"train": [], "val": [], "test": []})
    assert read_checkpoint(path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(MisuseError, match=r"a\.ckpt: no checkpoint, or a damaged"):
        read_checkpoint(path)
