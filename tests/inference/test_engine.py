"""Tiled equals whole, in bounded memory, through calls of one shape."""

import gc
import itertools
import threading
import tracemalloc
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segapp.errors import FatalError, MisuseError, SegappError
from segapp.inference.blend import compute_profile
from segapp.inference.engine import Engine
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import TorchRuntime
from segapp.inference.window_reading import _warn_of_window_statistics
from segapp.inference.windows import find_image_start, list_window_starts, pad_crop
from segapp.models import BlockStyle, PlainEncoder, UNet
from segapp.spec import Spec
from tests.inference.runtimes import LocalRuntime


def make_spec(num_classes=3, channels=3, **settings):
    names = tuple(f"class {index}" for index in range(num_classes))
    return Spec(names, 0, ((0, 0, 0),) * num_classes, channels, **settings)


def picture(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def whole(engine, pixels):
    return np.concatenate(
        [engine.runtime.to_numpy(band.logits) for band in engine.compute_bands(ArrayImage(pixels))], axis=1
    )


def brute_force(runtime, spec, pixels):
    """Every window on its own, weights and their sum for the whole image in double precision."""
    height, width, _ = pixels.shape
    h, w = (min(side, length) for side, length in zip(spec.window, pixels.shape, strict=False))
    weights = np.outer(*(compute_profile(spec.blend, side) for side in spec.window)).astype(float)
    total = np.zeros((height, width))
    summed = np.zeros((spec.num_classes, height, width))
    for y in list_window_starts(height, spec.window[0], spec.overlap):
        for x in list_window_starts(width, spec.window[1], spec.overlap):
            seen = pixels[y : y + h, x : x + w]
            part = slice(seen.shape[0]), slice(seen.shape[1])
            first = find_image_start((height, width), spec.window)
            shown = (slice(start, start + length) for start, length in zip(first, seen.shape, strict=False))
            logits = runtime(pad_crop(seen, spec.window, first).transpose(2, 0, 1)[None])[0][:, *shown]
            summed[:, y : y + h, x : x + w] += logits * weights[part]
            total[y : y + h, x : x + w] += weights[part]
    return summed / total


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    window=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    overlap=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9]),
    blend=st.sampled_from(["gaussian", "cosine", "none"]),
    batch=st.integers(1, 5),
)
def test_bands_are_the_blend_of_all_windows(height, width, window, overlap, blend, batch):
    pixels = picture(height, width)
    spec = make_spec(window=window, overlap=overlap, blend=blend)
    engine = Engine(LocalRuntime(noise=0.5), spec, batch)
    expected = brute_force(LocalRuntime(noise=0.5), spec, pixels)
    blended = whole(engine, pixels)
    assert np.allclose(blended, expected, atol=1e-4)
    assert (engine.segment(ArrayImage(pixels)) == blended.argmax(0)).all()


@pytest.mark.parametrize("blend", ["gaussian", "cosine", "none"])
def test_class_indices_equal_the_blend_in_memory(blend):
    spec = make_spec(window=(48, 64), overlap=0.3, blend=blend)
    pixels = picture(301, 207)
    expected = brute_force(LocalRuntime(noise=0.5), spec, pixels).argmax(0)
    assert (Engine(LocalRuntime(noise=0.5), spec, 3).segment(ArrayImage(pixels)) == expected).all()


@pytest.mark.parametrize("shape", [(301, 207), (64, 48), (20, 300), (3, 2), (1, 1)])
@pytest.mark.parametrize("batch", [1, 4])
def test_every_call_has_one_shape(shape, batch):
    runtime = LocalRuntime()
    Engine(runtime, make_spec(window=(64, 48)), batch).segment(ArrayImage(picture(*shape)))
    assert set(runtime.calls) == {(batch, 3, 64, 48)}
    windows = len(list_window_starts(shape[0], 64, 0.25)) * len(list_window_starts(shape[1], 48, 0.25))
    assert len(runtime.calls) == -(-windows // batch)


def test_the_batch_size_changes_nothing():
    pixels = picture(301, 207)
    one, three, many = (
        whole(Engine(LocalRuntime(), make_spec(window=(64, 48)), batch), pixels) for batch in (1, 3, 64)
    )
    assert (one == three).all()
    assert (one == many).all()


class Convolutions(nn.Module):
    """Sees four pixels around each."""

    def __init__(self, channels=3):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(channels, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 3, 5, padding=2))

    def forward(self, images):
        return self.layers(images.float() / 255)


def difference_from_whole(blend, size):
    """Largest difference of tiled and whole-image logits away from the image's border, over the logits' range."""
    net = Convolutions().eval()
    pixels = picture(*size)
    spec = make_spec(window=(64, 64), overlap=0.5, blend=blend)
    tiled = whole(Engine(TorchRuntime(net), spec, 2), pixels)
    with torch.inference_mode():
        expected = net(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].numpy()
    inner = (slice(None), slice(4, -4), slice(4, -4))
    return np.abs(tiled[inner] - expected[inner]).max() / np.ptp(expected)


@pytest.mark.parametrize("size", [(200, 170), (64, 170), (200, 50)])
def test_tiles_equal_the_whole_image_where_windows_overlap_enough(size):
    # Four pixels from a window's edge, as far as padding spoils it here, the window's share is below 0.01.
    assert difference_from_whole("gaussian", size) < 0.01
    assert difference_from_whole("none", size) > 0.05


def unet(norm):
    """A U-Net of two levels whose norms have seen something, a generated picture, and its logits as a whole."""
    torch.manual_seed(0)
    net = UNet(3, 3, partial(PlainEncoder, widths=[8, 16], block=BlockStyle(norm=norm)))
    pixels = cv2.GaussianBlur(picture(197, 251), (9, 9), 0)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    net(images)
    with torch.inference_mode():
        return net.eval(), pixels, net(images)[0].numpy()


def tiled_and_whole(norm, overlap=0.5):
    """Largest difference 32 pixels and more from the image's border, over the largest logit."""
    net, pixels, expected = unet(norm)
    spec = make_spec(window=(128, 128), overlap=overlap)
    tiled = whole(Engine(TorchRuntime(net), spec, 2), pixels)
    inner = (slice(None), slice(32, -32), slice(32, -32))
    return np.abs(tiled[inner] - expected[inner]).max() / np.abs(expected).max()


def test_tiled_logits_of_a_unet_with_batch_norm_are_those_of_the_whole_image(caplog):
    """Its sides are no multiples of anything: windows have to start where pooling starts afresh."""
    assert tiled_and_whole("batch") < 2e-3
    assert caplog.text == ""


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_norms_over_the_window_are_warned_of_once(norm, caplog):
    _warn_of_window_statistics.cache_clear()
    assert tiled_and_whole(norm) > 1e-2
    assert tiled_and_whole(norm) > 1e-2
    (record,) = caplog.records
    assert "windows of 128 x 128" in record.getMessage()


def test_an_image_of_one_window_is_not_warned_of(caplog):
    _warn_of_window_statistics.cache_clear()
    Engine(TorchRuntime(unet("group")[0]), make_spec(window=(64, 64))).segment(ArrayImage(picture(64, 50)))
    assert caplog.text == ""


def test_an_image_within_one_window_is_not_blended():
    net = Convolutions().eval()
    pixels = picture(64, 64)
    logits = whole(Engine(TorchRuntime(net), make_spec(window=(64, 64))), pixels)
    with torch.inference_mode():
        alone = net(torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last))
    assert (logits == alone[0].numpy()).all()


def test_one_and_sixteen_channels_and_float_images_pass():
    for channels in (1, 16):
        engine = Engine(TorchRuntime(Convolutions(channels).eval()), make_spec(channels=channels, window=(32, 32)))
        assert engine.segment(ArrayImage(picture(50, 40, channels))).shape == (50, 40)
    floats = ArrayImage(np.full((50, 40, 3), 0.5, np.float32))
    assert Engine(TorchRuntime(Convolutions().eval()), make_spec(window=(32, 32))).segment(floats).max() < 3


class Endless:
    """A picture of any height that is never in memory."""

    name = "endless"

    def __init__(self, height, width):
        self.shape = (height, width, 1)

    def read_window(self, y, x, h, w):
        rows, columns = np.arange(y, y + h)[:, None], np.arange(x, x + w)
        return ((rows * 7 + columns * 3) % 251).astype(np.uint8)[..., None]


def peak_of_blocks(height):
    engine = Engine(LocalRuntime(20), make_spec(20, 1, window=(128, 128)), 2)
    gc.collect()
    tracemalloc.start()
    for block in engine.compute_blocks(Endless(height, 2048)):
        assert block.logits.shape[1] <= 128
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_height():
    low, high = peak_of_blocks(320), peak_of_blocks(608)  # both in steps of 96
    assert high < 1.2 * low
    assert high < 20 * 2048 * 128 * 4  # the logits of one row of windows, of which a quarter is shared with the next


def test_no_allocation_is_larger_than_a_band():
    runtime = LocalRuntime(5)
    engine = Engine(runtime, make_spec(5, 1, window=(64, 64)))
    for band in engine.compute_bands(Endless(900, 700)):
        assert band.logits.shape[::2] == (5, 700)
    assert max(np.prod(shape) for shape in runtime.allocated) <= 5 * 64 * 700


def test_bands_keep_their_values_when_collected():
    engine = Engine(LocalRuntime(), make_spec(window=(32, 32)))
    image = ArrayImage(picture(100, 90))
    copied = [band.logits.copy() for band in engine.compute_bands(image)]
    kept = [band.logits for band in list(engine.compute_bands(image))]
    assert all((one == other).all() for one, other in zip(copied, kept, strict=True))


def test_resized_images_come_back_at_their_stored_size():
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[:, 60:] = 200
    engine = Engine(LocalRuntime(), make_spec(window=(32, 32), resize=(32, 32)))
    bands = list(engine.compute_bands(ArrayImage(pixels)))
    assert [band.y for band in bands] == [0, 32, 64]
    logits = np.concatenate([band.logits for band in bands], axis=1)
    assert logits.shape == (3, 90, 120)
    assert np.allclose(logits[0, :, 10], 0, atol=1e-5)
    assert np.allclose(logits[0, :, 80], np.sin(300 / 40), atol=1e-5)


def test_a_resized_image_larger_than_the_window_is_tiled():
    spec = make_spec(window=(32, 32), resize=(64, 80))
    runtime = LocalRuntime()
    assert Engine(runtime, spec).segment(ArrayImage(picture(200, 300))).shape == (200, 300)
    assert set(runtime.calls) == {(1, 3, 32, 32)}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("resize", [None, (40, 40)])
def test_values_that_are_not_finite_are_an_error_naming_the_image(bad, resize):
    class Broken(LocalRuntime):
        def __call__(self, images):
            logits = super().__call__(images)
            logits[0, 1, 5, 5] = bad
            return logits

    engine = Engine(Broken(), make_spec(window=(32, 32), resize=resize))
    with pytest.raises(SegappError, match=r"scan_7\.png.*not finite"):
        engine.segment(ArrayImage(picture(40, 40), "scan_7.png"))


def test_other_channels_are_an_error_naming_the_image():
    engine = Engine(LocalRuntime(), make_spec(window=(32, 32)))
    with pytest.raises(SegappError, match=r"scan_7\.png: has 4 channels, the network takes 3"):
        engine.segment(ArrayImage(picture(40, 40, 4), "scan_7.png"))


def test_a_network_of_another_number_of_classes_is_an_error():
    engine = Engine(LocalRuntime(2), make_spec(window=(32, 32)))
    with pytest.raises(SegappError, match=r"\(1, 2, 32, 32\) .*\(1, 3, 32, 32\)"):
        engine.segment(ArrayImage(picture(40, 40)))


class Together(LocalRuntime):
    """Two calls at a time, in threads that took their share of the cores; the first two wait for each other."""

    parallel = 2

    def __init__(self):
        super().__init__(noise=3.0)
        self.shared = set()
        self.barrier = threading.Barrier(2)
        self.numbers = itertools.count()

    def share_cores(self):
        self.shared.add(threading.get_ident())

    def __call__(self, images):
        assert threading.get_ident() in self.shared
        if next(self.numbers) < 2:
            self.barrier.wait(timeout=10)
        return super().__call__(images)


def test_windows_computed_together_are_those_computed_one_by_one():
    spec, images = make_spec(window=(32, 32)), [ArrayImage(picture(70, 90, seed=seed)) for seed in (1, 2)]
    alone, together = Engine(LocalRuntime(noise=3.0), spec), Engine(Together(), spec)
    for one, two in zip(alone.stream(images), together.stream(images), strict=True):
        assert one[0] is two[0]
        for left, right in zip(one[1], two[1], strict=True):
            assert (left.y, left.x) == (right.y, right.x)
            assert np.array_equal(left.logits, right.logits)
    assert len(together.runtime.shared) == 2


def test_what_is_wrong_with_an_image_stays_with_it_when_windows_are_computed_together():
    engine = Engine(Together(), make_spec(window=(32, 32)))
    images = [ArrayImage(picture(70, 90)), ArrayImage(picture(40, 40, 4), "four.png"), ArrayImage(picture(50, 50))]
    sizes = []
    for image, blocks in engine.stream(images):
        if image.name == "four.png":
            with pytest.raises(SegappError, match=r"four\.png: has 4 channels"):
                list(blocks)
        else:
            sizes.append(sum(block.logits.shape[1] * block.logits.shape[2] for block in blocks))
    assert sizes == [70 * 90, 50 * 50]


def test_torch_divides_its_cores_among_calls_and_leaves_the_callers_alone():
    before = torch.get_num_threads()
    torch.manual_seed(0)
    net = UNet(3, 3, encoder=partial(PlainEncoder, widths=[4, 8])).eval()
    spec = make_spec(window=(32, 32))
    alone, together = (Engine(TorchRuntime(net, parallel=parallel), spec) for parallel in (1, 2))
    assert np.allclose(whole(alone, picture(70, 90)), whole(together, picture(70, 90)), atol=1e-6)
    assert torch.get_num_threads() == before


def test_an_error_of_reading_reaches_the_caller():
    class Torn(Endless):
        def read_window(self, y, x, h, w):
            if y > 100:
                raise SegappError("torn.tif: truncated")
            return super().read_window(y, x, h, w)

    engine = Engine(LocalRuntime(), make_spec(channels=1, window=(32, 32)))
    with pytest.raises(SegappError, match=r"torn\.tif"):
        engine.segment(Torn(300, 50))


def test_torch_and_numpy_runtimes_share_one_path():
    class Same(TorchRuntime):
        def __call__(self, images):
            return torch.from_numpy(LocalRuntime()(images))

    spec = make_spec(window=(32, 48))
    pixels = picture(130, 90)
    numpy_logits = whole(Engine(LocalRuntime(), spec), pixels)
    assert np.allclose(whole(Engine(Same(nn.Identity()), spec), pixels), numpy_logits, atol=1e-6)
    resized = replace(spec, resize=(50, 60))
    assert np.allclose(
        whole(Engine(Same(nn.Identity()), resized), pixels), whole(Engine(LocalRuntime(), resized), pixels), atol=1e-5
    )


def test_windows_of_several_images_share_batches_and_give_what_each_gives_alone():
    spec = make_spec(window=(32, 32))
    sizes = [(20, 20), (50, 40), (32, 32), (7, 90), (33, 64)]
    images = [ArrayImage(picture(*size, seed=index), str(index)) for index, size in enumerate(sizes)]
    runtime = LocalRuntime(noise=0.5)
    together = [
        (image.name, [(block.y, block.x, block.logits.copy()) for block in blocks])
        for image, blocks in Engine(runtime, spec, 4).stream(images)
    ]
    windows = sum(len(list_window_starts(h, 32, 0.25)) * len(list_window_starts(w, 32, 0.25)) for h, w in sizes)
    assert runtime.calls == [(4, 3, 32, 32)] * -(-windows // 4)
    for image, (name, blocks) in zip(images, together, strict=True):
        alone = list(Engine(LocalRuntime(noise=0.5), spec).compute_blocks(image))
        assert name == image.name
        assert [(y, x) for y, x, _ in blocks] == [(block.y, block.x) for block in alone]
        assert all((logits == block.logits).all() for (_, _, logits), block in zip(blocks, alone, strict=True))


class Broken:
    name, shape = "broken.png", (40, 50, 3)

    def read_window(self, y, x, h, w):
        raise SegappError("broken.png: torn.")


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("resize", [None, (24, 40)])
def test_an_image_s_error_is_its_own(batch, resize):
    """Unreadable, of other channels, or left half-way: the neighbours in its batch do not notice."""
    spec = make_spec(window=(32, 32), resize=resize)
    good = [ArrayImage(picture(40, 50, seed=seed), str(seed)) for seed in range(3)]
    images = [good[0], Broken(), good[1], ArrayImage(picture(40, 50, 4), "four.png"), good[2], Broken()]
    found = []
    engine = Engine(LocalRuntime(), spec, batch)
    for image, blocks in engine.stream(images):
        if image is good[1]:
            next(blocks)
            continue  # the rest of it is skipped
        try:
            found.append(np.concatenate([engine.compute_indices(block).ravel() for block in blocks]))
        except SegappError as error:
            found.append(str(error))
    alone = [
        np.concatenate([engine.compute_indices(block).ravel() for block in engine.compute_blocks(image)])
        for image in good
    ]
    assert (found[0] == alone[0]).all() and (found[3] == alone[2]).all()
    assert [found[1], found[4]] == ["broken.png: torn."] * 2
    assert found[2].startswith("four.png: has 4 channels")


@pytest.mark.parametrize("batch", [1, 3])
def test_what_is_left_of_an_image_is_not_computed_once_the_next_is_asked_for(batch):
    spec, runtime = make_spec(window=(32, 32), overlap=0.0), LocalRuntime()
    images = [ArrayImage(picture(320, 320)), ArrayImage(picture(32, 32, seed=1))]
    stream = Engine(runtime, spec, batch).stream(images)
    next(stream)
    _, blocks = next(stream)
    (block,) = blocks
    assert np.array_equal(block.logits, whole(Engine(LocalRuntime(), spec), images[1].pixels))
    assert len(runtime.calls) * batch < 15  # of 101 windows


def test_what_the_runtime_cannot_compute_is_not_an_image_s_fault():
    class Full(LocalRuntime):
        def __call__(self, images):
            raise MisuseError("no memory is left")

    with pytest.raises(FatalError, match="no memory is left") as error:
        whole(Engine(Full(), make_spec()), picture(8, 8))
    assert error.value.exit_code == 2


def test_only_the_image_whose_logits_are_not_finite_fails():
    class Wild(LocalRuntime):
        def __call__(self, images):
            logits = super().__call__(images)
            logits[images.max(axis=(1, 2, 3)) == 255] = np.nan
            return logits

    tame = ArrayImage(np.full((20, 20, 3), 7, np.uint8), "tame")
    wild = ArrayImage(np.full((20, 20, 3), 255, np.uint8), "wild")
    engine = Engine(Wild(), make_spec(window=(32, 32)), 4)
    results = []
    for image, blocks in engine.stream([tame, wild, tame]):
        try:
            results.append(len(list(blocks)))
        except SegappError as error:
            results.append(image.name in str(error))
    assert results == [1, True, 1]
