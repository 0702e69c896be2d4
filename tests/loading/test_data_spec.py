"""What a network needs to know about its images."""

from segapp.datasets import Folder
from segapp.loading.data_spec import describe_data
from segapp.loading.samples import Sampling
from segapp.spec import Intensity


def test_the_description_is_that_of_the_data_and_the_windows():
    source = Folder("d", ["a", "b"], background=None, channels=2, neighbours=1, intensity=Intensity(), axis="axial")
    spec = describe_data(source, Sampling(resize=(64, 96)), (32, 64), 0.5, "cosine")
    assert (spec.classes, spec.background, spec.channels, spec.neighbours) == (("a", "b"), None, 6, 1)
    assert (spec.resize, spec.window, spec.overlap, spec.blend) == ((64, 96), (32, 64), 0.5, "cosine")
    assert (spec.slice_axis, spec.intensity) == ("axial", Intensity())
