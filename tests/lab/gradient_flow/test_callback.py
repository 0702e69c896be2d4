"""The callback's numbers against a two-weight network worked out by hand, in every kind of training."""

import csv
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.strategies import FSDPStrategy
from torch import nn
from torch.utils.data import DataLoader

from segapp.cli import main
from segapp.errors import MisuseError
from segapp.lab.gradient_flow import GradientFlow, callback
from segapp.lab.gradient_flow.figures import draw_run

TINY = Path(__file__).parents[2] / "tiny.yaml"
RATE, MOMENTUM, DECAY = 0.01, 0.9, 0.1
XS = [1.0, 2.0, 0.5, 1.5, 1.0, 3.0]


class Product(pl.LightningModule):
    """y = b·a·x with a = 2 and b = 3; the loss is y² / 2, so that dL/da = y·b·x and dL/db = y·a·x."""

    def __init__(self, optimizer=None, net=None) -> None:
        super().__init__()
        self.net = net or nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
        self.make = optimizer or (lambda p: torch.optim.SGD(p, RATE, momentum=MOMENTUM, weight_decay=DECAY))
        with torch.no_grad():
            for parameter, value in zip(self.parameters(), (2.0, 3.0), strict=True):
                parameter.fill_(value)

    def training_step(self, batch, batch_idx):
        return self.net(batch).square().mean() / 2

    def configure_optimizers(self):
        return self.make(self.parameters())


@pytest.fixture(autouse=True)
def without_figure(request, monkeypatch):
    """Draw nothing, which would take longer than these trainings, unless the test asks for `drawn`."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(callback, "draw_run", lambda table, path: None)


@pytest.fixture
def drawn():
    """Let the callback draw."""


def train(
    folder: Path, module: pl.LightningModule | None = None, every: int = 1, xs=XS, batch=1, **settings
) -> list[dict]:
    """The rows of `gradient_flow.csv` after an epoch over `xs`, one a batch."""
    trainer = pl.Trainer(
        default_root_dir=folder,
        callbacks=[GradientFlow(every)],
        accelerator="cpu",
        **{"max_epochs": 1, "logger": False, "enable_checkpointing": False} | settings,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module or Product(), DataLoader(torch.tensor(xs)[:, None], batch_size=batch))
    return rows(folder)


def rows(folder: Path) -> list[dict]:
    with (folder / "gradient_flow.csv").open(newline="") as file:
        return list(csv.DictReader(file))


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval.*"),
]


def by_hand(xs: list[float], limit: float | None = None, accumulate: int = 1) -> list[dict[str, list[float]]]:
    """Norms for both weights of `Product` under SGD with momentum and decay, as PyTorch's documentation has it."""
    weights, momenta, result = [2.0, 3.0], [0.0, 0.0], []
    for start in range(0, len(xs), accumulate):
        part = xs[start : start + accumulate]
        a, b = weights
        gradients = [sum(b * a * x * w * x for x in part) / accumulate for w in (b, a)]
        total = math.sqrt(gradients[0] ** 2 + gradients[1] ** 2)
        coefficient = 1.0 if limit is None else min(1.0, limit / (total + 1e-6))
        momenta = [
            MOMENTUM * m + coefficient * g + DECAY * w for m, g, w in zip(momenta, gradients, weights, strict=True)
        ]
        updates = [RATE * m for m in momenta]
        ratios = [u / w for u, w in zip(updates, weights, strict=True)]
        signed = {"g": gradients, "c": [coefficient] * 2, "w": weights, "u": ratios}
        result.append({kind: [abs(value) for value in values] for kind, values in signed.items()})
        weights = [w - u for w, u in zip(weights, updates, strict=True)]
    return result


def check(table: list[dict], expected: list[dict[str, list[float]]]) -> None:
    assert [(int(row["step"]), row["module"]) for row in table] == [
        (step + 1, name) for step in range(len(expected)) for name in ("0", "1")
    ]
    for row in table:
        known = expected[int(row["step"]) - 1]
        for column, kind in (
            ("gradient_norm", "g"),
            ("clip_coefficient", "c"),
            ("weight_norm", "w"),
            ("update_ratio", "u"),
        ):
            assert float(row[column]) == pytest.approx(known[kind][int(row["module"])], rel=1e-4), (row, column)
        assert row["skipped"] == "0"


def test_sgd_with_momentum_and_decay_by_hand(tmp_path, drawn):
    table = train(tmp_path)
    check(table, by_hand(XS))
    assert float(table[0]["gradient_norm"]) == 18 and float(table[1]["gradient_norm"]) == 12
    assert float(table[0]["update_ratio"]) == pytest.approx(RATE * (18 + DECAY * 2) / 2, rel=1e-5)
    assert float(table[0]["activation_mean"]) == 2 and float(table[1]["activation_mean"]) == 6
    assert (tmp_path / "gradient_flow.png").stat().st_size > 1000


def test_gradients_are_those_before_clipping_and_updates_those_after(tmp_path):
    expected = by_hand(XS, limit=5.0)
    assert expected[0]["c"][0] == pytest.approx(5 / math.hypot(18, 12))
    check(train(tmp_path, gradient_clip_val=5.0), expected)


def test_clipping_by_value_has_a_coefficient_for_each(tmp_path):
    first, second = train(tmp_path, xs=[1.0], gradient_clip_val=15.0, gradient_clip_algorithm="value")
    assert float(first["gradient_norm"]) == 18 and float(first["clip_coefficient"]) == pytest.approx(15 / 18, rel=1e-5)
    assert float(second["gradient_norm"]) == 12 and float(second["clip_coefficient"]) == 1
    assert float(first["update_ratio"]) == pytest.approx(RATE * (15 + DECAY * 2) / 2, rel=1e-5)


def test_accumulated_gradients_make_one_step(tmp_path):
    table = train(tmp_path, accumulate_grad_batches=2, gradient_clip_val=20.0)
    check(table, by_hand(XS, limit=20.0, accumulate=2))
    assert float(table[0]["activation_mean"]) == 2 * XS[1]  # of the last part of the batch


def test_steps_are_measured_at_the_interval_and_first(tmp_path):
    table = train(tmp_path, every=3)
    assert [row["step"] for row in table] == ["1", "1", "3", "3", "6", "6"]
    expected = by_hand(XS)
    assert float(table[2]["update_ratio"]) == pytest.approx(expected[2]["u"][0], rel=1e-4)


def test_bf16_measures_what_fp32_does_but_for_rounding(tmp_path):
    table = train(tmp_path, precision="bf16-mixed", gradient_clip_val=5.0)
    first = by_hand(XS, limit=5.0)[0]
    for row, gradient, ratio in zip(table[:2], first["g"], first["u"], strict=True):
        assert float(row["gradient_norm"]) == pytest.approx(gradient, rel=0.02)
        assert float(row["clip_coefficient"]) == pytest.approx(first["c"][0], rel=0.02)
        assert float(row["update_ratio"]) == pytest.approx(ratio, rel=0.02)


def test_the_first_step_of_adam_by_hand(tmp_path):
    """Bias-corrected moments are g and g², so that every weight moves by the learning rate whatever its gradient."""
    first, second = train(tmp_path, Product(lambda p: torch.optim.Adam(p, RATE)), xs=[1.0])
    assert float(first["update_ratio"]) == pytest.approx(RATE / 2, rel=1e-5)
    assert float(second["update_ratio"]) == pytest.approx(RATE / 3, rel=1e-5)


# ---------------------------------------------------------------------------------------------- loss scaling


def scaled(init_scale: float) -> MixedPrecision:
    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=init_scale))


OPTIMIZERS = {
    "unscaled by Lightning": lambda p: torch.optim.SGD(p, RATE),
    "fused, unscales itself": lambda p: torch.optim.SGD(p, RATE, fused=True),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_loss_scale_is_not_in_the_gradients(kind, tmp_path):
    table = train(tmp_path, Product(OPTIMIZERS[kind]), plugins=[scaled(256.0)])
    assert float(table[0]["gradient_norm"]) == pytest.approx(18, rel=1e-2)
    assert float(table[1]["gradient_norm"]) == pytest.approx(12, rel=1e-2)
    assert float(table[0]["update_ratio"]) == pytest.approx(RATE * 18 / 2, rel=1e-2)
    assert {row["skipped"] for row in table} == {"0"}


def test_under_a_loss_scale_clipping_acts_on_the_true_gradient(tmp_path):
    """18 and 12, of norm 21.6, are cut to 5, not 256 times as much."""
    plugins = [scaled(256.0)]
    table = train(tmp_path, Product(OPTIMIZERS["unscaled by Lightning"]), plugins=plugins, gradient_clip_val=5.0)
    coefficient = 5 / math.hypot(18, 12)
    for row, gradient, weight in zip(table[:2], (18, 12), (2, 3), strict=True):
        assert float(row["gradient_norm"]) == pytest.approx(gradient, rel=1e-2)
        assert float(row["clip_coefficient"]) == pytest.approx(coefficient, rel=1e-2)
        assert float(row["update_ratio"]) == pytest.approx(RATE * gradient * coefficient / weight, rel=1e-2)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_step_that_the_scaler_skips_is_marked_and_has_no_update(kind, tmp_path):
    table = train(tmp_path, Product(OPTIMIZERS[kind]), xs=[1.0] * 9, plugins=[scaled(2.0**16)])
    skipped = [row for row in table if row["skipped"] == "1"]
    stepped = [row for row in table if row["skipped"] == "0"]
    assert skipped and stepped
    assert {row["update_ratio"] for row in skipped} == {""}
    assert all(float(row["update_ratio"]) > 0 for row in stepped)
    assert {row["weight_norm"] for row in skipped} == {"2", "3"}  # nothing moved until the first step
    assert not math.isfinite(float(skipped[0]["gradient_norm"]) * float(skipped[1]["gradient_norm"]))


# ---------------------------------------------------------------------------------------------- compiled networks


def compiled_in_place(module: Product, backend) -> Product:
    module.net.compile(backend=backend)
    return module


def compiled_around(module: Product, backend) -> Product:
    module.net = torch.compile(module.net, backend=backend)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [compiled_in_place, compiled_around])
def test_a_compiled_network_is_measured_and_stays_compiled(compiled, tmp_path):
    ran, made = [], []

    def backend(graph, inputs):
        made.append(graph)
        return lambda *arguments: (ran.append(1), graph(*arguments))[1]

    torch._dynamo.reset()
    table = train(tmp_path, compiled(Product(), backend), every=3)
    plain = train(tmp_path / "plain", every=3)
    assert table == plain
    assert table[0]["activation_mean"] == "2"
    assert len(made) == 1 and len(ran) == 3  # steps 2, 4 and 5: compiled once, not measured


class Scripted(Product):
    """Forward passes that call no hook of the submodules."""

    def training_step(self, batch, batch_idx):
        first, second = self.net
        return (batch @ first.weight.T @ second.weight.T).square().mean() / 2


def test_where_no_hook_can_fire_it_says_so_once(tmp_path):
    with pytest.warns(UserWarning, match="no submodule could be observed") as warned:
        table = train(tmp_path, Scripted())
    assert len([warning for warning in warned if "GradientFlow" in str(warning.message)]) == 1
    assert float(table[0]["gradient_norm"]) == 18 and table[0]["activation_mean"] == ""


# ---------------------------------------------------------------------------------------------- runs


def test_a_resumed_run_that_ends_before_its_next_measurement_is_drawn(tmp_path, monkeypatch):
    train(tmp_path, Product(), xs=[1.0])
    monkeypatch.setattr(callback, "draw_run", draw_run)
    GradientFlow().on_train_end(SimpleNamespace(is_global_zero=True, default_root_dir=tmp_path), Product())
    assert (tmp_path / "gradient_flow.png").is_file()


def test_every_hook_is_gone_afterwards_also_after_a_failure(tmp_path):
    class Failing(Product):
        def training_step(self, batch, batch_idx):
            super().training_step(batch, batch_idx)
            raise ValueError("as a test")

    module = Failing()
    with pytest.raises(ValueError, match="as a test"):
        train(tmp_path, module)
    assert not any(part._forward_hooks for part in module.modules())


def test_frozen_submodules_have_no_gradient_and_do_not_move(tmp_path):
    module = Product(lambda p: torch.optim.SGD([w for w in p if w.requires_grad], RATE))
    module.net[0].weight.requires_grad_(False)
    first, second = train(tmp_path, module, xs=[1.0])
    assert (first["gradient_norm"], first["clip_coefficient"], first["update_ratio"]) == ("", "", "0")
    assert float(second["gradient_norm"]) == 12


def test_strategies_that_divide_parameters_are_refused():
    trainer = SimpleNamespace(strategy=FSDPStrategy.__new__(FSDPStrategy))
    with pytest.raises(MisuseError, match=r"FSDPStrategy .*--trainer\.strategy ddp"):
        GradientFlow().setup(trainer, None, "fit")
    with pytest.raises(MisuseError, match="every_n_steps"):
        GradientFlow(0)


WATCHED = ["--trainer.callbacks+=segapp.lab.gradient_flow.GradientFlow", "--trainer.callbacks.every_n_steps=2"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_an_ordinary_fit_with_ema_writes_and_a_resumed_one_continues(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ["--data.num_workers", "0", "--trainer.accumulate_grad_batches", "1"]
    assert main(["fit", "--config", str(TINY), *WATCHED, *small, "--trainer.max_epochs", "1"]) == 0
    (run,) = tmp_path.glob("runs/tiny/2*")
    before = rows(run)
    steps = sorted({int(row["step"]) for row in before})
    assert steps == [1, 2, 4, 6, 8, 10]
    names = [row["module"] for row in before if row["step"] == "1"]
    assert names[0].startswith("encoder.0") and names[-1] == "head.conv"
    assert (
        names.index("bottleneck.0.0.conv")
        < names.index("decoder.1.upsample.conv")
        < names.index("decoder.0.upsample.conv")
    )
    with (run / "gradient_flow.csv").open("a") as file:
        file.write("1,12,0,of a run that went on after its last checkpoint,1,1,1,1,1,1,1,0\n1,12,1,torn")
    last = str((run / "checkpoints" / "last.ckpt").relative_to(tmp_path))
    assert main(["fit", "--ckpt_path", last, "--trainer.max_epochs", "2"]) == 0
    after = rows(run)
    assert after[: len(before)] == before
    assert sorted({int(row["step"]) for row in after}) == [1, *range(2, 21, 2)]
    assert {row["epoch"] for row in after if int(row["step"]) > 10} == {"2"}  # counted from 1, as in metrics.csv
    assert {row["module"] for row in after} == set(names)


class Shared(Product):
    """Every process takes one sample of the batch of two."""

    def training_step(self, batch, batch_idx):
        return super().training_step(batch[self.global_rank, None], batch_idx)


DDP = """
import sys
from pathlib import Path
from tests.lab.gradient_flow.test_callback import Shared, train

several = {"devices": 2, "strategy": "ddp", "use_distributed_sampler": False}
train(Path(sys.argv[1]), Shared(), batch=2, gradient_clip_val=20.0, **several)
"""


@pytest.mark.slow
def test_two_processes_measure_the_averaged_gradient_and_one_writes(tmp_path):
    """Two processes with one sample each step as one does that accumulates two batches."""
    script = tmp_path / "ddp.py"
    script.write_text(DDP)
    environment = {"PYTHONPATH": str(TINY.parents[1]), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin"}
    subprocess.run([sys.executable, str(script), str(tmp_path)], env=environment, check=True, timeout=200)
    table = rows(tmp_path)
    check(table, by_hand(XS, limit=20.0, accumulate=2))
    assert float(table[0]["activation_mean"]) == 2 * XS[0]  # of the first process's share
