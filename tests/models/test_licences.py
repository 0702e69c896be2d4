"""The licence of the weights that a network began from."""

import pytest

from segapp.models.licences import describe_licence


@pytest.mark.parametrize(
    ("pretrained", "words"),
    [("package", "Apache-2.0"), ("hub", "hub"), ("weights.pth", "weights.pth"), (False, "yours")],
)
def test_the_source_of_the_weights_decides(pretrained, words):
    net = {"class_path": "a.Net", "init_args": {"encoder": {"init_args": {"pretrained": pretrained}}}}
    assert words in describe_licence({"net": net})


def test_weights_of_another_training_and_of_bundles_are_not_called_ours():
    assert "old.ckpt" in describe_licence({"net": {}}, "old.ckpt")
    assert "not recorded" in describe_licence({"bundle": "x"}) and "not recorded" in describe_licence(None)
