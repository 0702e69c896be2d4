"""Alternatives change what they name and nothing else."""

from segapp.checkpoints.merge import flatten_settings, get_value, override_values
from segapp.planning.alternatives import list_alternatives

PLANNED = {
    "data": {
        "crop": [64, 64],
        "oversample": 0.33,
        "augment": [
            {"class_path": "segapp.transforms.Flips", "init_args": {"horizontal": True}},
            {"class_path": "segapp.transforms.Affine", "init_args": {}},
        ],
    },
    "model": {
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.001}},
        "net": {"init_args": {"long_skip": "add", "encoder": {"init_args": {"widths": [32, 64]}}}},
        "loss": {
            "class_path": "segapp.losses.DeepSupervision",
            "init_args": {"loss": {"init_args": {"reduce": "batch", "class_weights": [1.0, 2.0]}}},
        },
    },
}


def test_every_alternative_changes_the_settings_that_it_names():
    found = list_alternatives(PLANNED)
    assert len({one.name for one in found}) == len(found) == 8
    before = flatten_settings(PLANNED)
    for one in found:
        after = flatten_settings(override_values(PLANNED, one.settings))
        assert {key for key in after if after[key] != before.get(key)} == set(one.settings)


def test_rates_are_a_factor_of_three_apart():
    rates = [one.settings["model.optimizer.init_args.lr"] for one in list_alternatives(PLANNED)[:2]]
    assert rates == [0.003, 0.00033]


def test_only_what_the_plan_has_can_be_changed():
    plain = override_values(
        PLANNED, {"model.net.init_args": {"encoder": {"class_path": "x", "init_args": {"name": "y"}}}}
    )
    plain = {**plain, "model": {**plain["model"], "net": {"class_path": "x", "init_args": {"name": "y"}}}}
    plain = override_values(plain, {"data.crop": None, "data.augment": [], "model.loss": {"class_path": "z"}})
    assert [set(one.settings) for one in list_alternatives(plain)] == [{"model.optimizer.init_args.lr"}] * 2


def test_mirrorings_stay_where_everything_else_goes():
    (one,) = [one for one in list_alternatives(PLANNED) if "data.augment" in one.settings]
    assert one.settings["data.augment"] == get_value(PLANNED, "data.augment")[:1]


def test_a_pretrained_encoder_can_keep_its_rate():
    pretrained = override_values(PLANNED, {"model.net.init_args.encoder": {"init_args": {"pretrained": "package"}}})
    (one,) = [one for one in list_alternatives(pretrained) if "model.encoder_lr" in one.settings]
    rate, factor = one.settings["model.optimizer.init_args.lr"], one.settings["model.encoder_lr"]
    assert rate == 0.003 and round(rate * factor, 5) == 0.001
    assert not any("model.encoder_lr" in one.settings for one in list_alternatives(PLANNED))
