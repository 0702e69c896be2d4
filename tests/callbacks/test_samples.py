"""Sample images reach the loggers that can hold images."""

import os
from unittest.mock import Mock

import numpy as np
import pytest
from lightning.pytorch.loggers import CometLogger, CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger

from segapp.callbacks.samples import log_image

IMAGE = np.zeros((2, 3, 3), np.uint8)


@pytest.mark.parametrize("kind", [TensorBoardLogger, WandbLogger, MLFlowLogger, CometLogger])
def test_each_logger_gets_the_image_its_name_and_the_step(kind):
    logger = Mock(spec=kind)
    log_image(logger, "samples/a", IMAGE, 7)
    (call,) = [call for call in logger.mock_calls if "image" in call[0]]
    values = [*call.args, *call.kwargs.values()]
    assert any(value is IMAGE or (isinstance(value, list) and value[0] is IMAGE) for value in values)
    assert "samples/a" in [value for value in values if isinstance(value, str)]
    assert 7 in [value for value in values if isinstance(value, int)]


def test_a_logger_without_images_is_left_alone(tmp_path):
    log_image(CSVLogger(tmp_path), "samples/a", IMAGE, 7)


def test_a_file_name_that_is_no_text_is_escaped(tmp_path):
    """It ended a training after its first epoch, with a traceback."""
    logger = TensorBoardLogger(tmp_path)
    log_image(logger, os.fsdecode(b"samples/caf\xe9"), IMAGE, 7)
    logger.experiment.flush()
    (events,) = tmp_path.rglob("events*")
    assert b"samples/caf\\udce9" in events.read_bytes()
