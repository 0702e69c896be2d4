"""A bundle is verified before it is put in place."""

import pytest

from segapp.commands.export import export
from segapp.errors import MisuseError, SegappError
from segapp.export import write as writing
from segapp.inference.open import open_networks

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter and onnxscript


@pytest.mark.slow
def test_a_network_that_differs_is_not_written(exports, tmp_path, monkeypatch):
    def wrong(net, spec, path):
        to_onnx(open_networks([exports / "1.ckpt"], device="cpu").members[0].net, spec, path)

    to_onnx = writing.convert_to_onnx
    monkeypatch.setattr(writing, "convert_to_onnx", wrong)
    with pytest.raises(SegappError, match=r"differs too much.*max \|Δlogit\|.*nothing was written"):
        export(str(exports / "0.ckpt"), "onnx", str(tmp_path / "wrong"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_interruptions_leave_nothing(exports, tmp_path, monkeypatch):
    with pytest.raises(MisuseError, match="exists already"):
        export(str(exports / "0.ckpt"), "weights", str(exports / "images"))

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "compare_runtimes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(str(exports / "0.ckpt"), "weights", str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []
