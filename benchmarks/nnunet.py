"""Build nnU-Net's predictor and its plans for 2-D images, where nnunetv2 is installed."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

for _variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(_variable, "")  # else it complains at import that they are not set

STAGES = {"small": [16, 32, 64, 128], "large": [32, 64, 128, 256, 512]}
"""Channels per level of nnU-Net's own PlainConvUNet: segapp's default, and about a third of a ResNet-34 U-Net."""


def plans(widths: list[int]) -> dict[str, Any]:
    """Return plans that match segapp: 2-D, windows of 512 x 512, no resampling, grey values divided by 255."""
    steps = len(widths)
    resampled = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": "plain",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 1,
        "patch_size": [512, 512],
        "median_image_size_in_voxels": [512.0, 512.0],
        "spacing": [1.0, 1.0],
        "normalization_schemes": ["RGBTo01Normalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": resampled,
        "resampling_fn_seg_kwargs": resampled | {"is_seg": True},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": resampled,
        "batch_dice": True,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {
                "n_stages": steps,
                "features_per_stage": widths,
                "conv_op": "torch.nn.modules.conv.Conv2d",
                "kernel_sizes": [[3, 3]] * steps,
                "strides": [[1, 1], *[[2, 2]] * (steps - 1)],
                "n_conv_per_stage": [2] * steps,
                "n_conv_per_stage_decoder": [2] * (steps - 1),
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    return {
        "dataset_name": "Dataset001_Plain",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [999.0, 1.0, 1.0],
        "original_median_shape_after_transp": [1, 512, 512],
        "image_reader_writer": "NaturalImage2DIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"2d": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
    }


DATASET = {
    "channel_names": {"0": "grey"},
    "labels": {"background": 0, "cell": 1},
    "numTraining": 1,
    "file_ending": ".png",
}


class Inside(nn.Module):
    """A segapp network as nnU-Net calls it: float32 windows in [0, 1] in, logits in segapp's precision out."""

    def __init__(self, net: nn.Module, half: bool) -> None:
        super().__init__()
        self.net, self.half_precision = net, half

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half_precision):
            return self.net(images).float()


def predictor(net: nn.Module) -> Any:
    """Return nnU-Net's predictor for a network: no mirroring, an overlap of 0.25, Gaussian blending."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    made = nnUNetPredictor(0.75, use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    manager = PlansManager(plans(STAGES["small"]))
    made.manual_initialization(
        net, manager, manager.get_configuration("2d"), [net.state_dict()], DATASET, "nnUNetTrainer", None
    )
    return made


def model_folder(folder: Path, widths: list[int]) -> Path:
    """Write a model folder as nnU-Net's training does, with a PlainConvUNet of random weights."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    made = plans(widths)
    architecture = made["configurations"]["2d"]["architecture"]
    kinds = architecture["network_class_name"], architecture["arch_kwargs"], architecture["_kw_requires_import"]
    net = get_network_from_plans(*kinds, 1, 2, deep_supervision=False)
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(made))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    content = {"network_weights": net.state_dict(), "trainer_name": "nnUNetTrainer"}
    content |= {"init_args": {"configuration": "2d"}, "inference_allowed_mirroring_axes": None}
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")
    return folder
