"""Tables of gradient flow: appended, torn, taken up again, read as arrays."""

import math

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.report.gradient_flow_table import COLUMNS, append_rows, read_flow, read_rows, start_table


def step(number: int) -> list[list[object]]:
    return [
        [0, number, 1, "relu", None, None, None, None, 0.25, 0.5, 1.0, 0],
        [0, number, 0, "conv", 3.0, 0.5, 2.0, 1e-3 * number, 0.0, -0.1, 1.0, 0],
    ]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "gradient_flow.csv"
    start_table(path, 0)
    for number in (1, 10, 20):
        append_rows(path, step(number))
    return path


def test_a_new_table_has_only_its_columns(tmp_path):
    start_table(tmp_path / "new.csv", 0)
    assert (tmp_path / "new.csv").read_text() == (
        "epoch,step,order,module,gradient_norm,clip_coefficient,weight_norm,update_ratio,"
        "dead_channels,activation_mean,activation_variance,skipped\n"
    )


def test_what_does_not_exist_is_empty(table):
    first, second = read_rows(table)[:2]
    assert first["gradient_norm"] == first["update_ratio"] == ""
    assert (second["gradient_norm"], second["update_ratio"]) == ("3", "0.001")


def test_a_resumed_run_keeps_the_rows_up_to_its_step(table):
    whole = table.read_text()
    start_table(table, 10)
    assert table.read_text() == "".join(whole.splitlines(keepends=True)[:5])
    start_table(table, 0)
    assert read_rows(table) == []


@pytest.mark.parametrize("torn", ["0,30,0,conv,1,1", "0,30,0,conv,1,1,1,1,1,1,1", "0"])
def test_the_torn_line_of_a_killed_run_is_left_out(table, torn):
    with table.open("a") as file:
        file.write(torn)
    assert len(read_rows(table)) == 6
    start_table(table, 100)
    append_rows(table, step(30))
    assert [row["step"] for row in read_rows(table)][-3:] == ["20", "30", "30"]


def test_arrays_are_modules_in_order_by_steps(table):
    append_rows(table, [[0, 30, 0, "conv", math.inf, 0.0, 2.0, None, 0.0, 0.0, 1.0, 1]])
    flow = read_flow(table)
    assert (flow.modules, flow.steps) == (["conv", "relu"], [1, 10, 20, 30])
    np.testing.assert_allclose(flow.values["update_ratio"], [[0.001, 0.01, 0.02, np.nan], [np.nan] * 4])
    assert flow.values["gradient_norm"][0, 3] == np.inf and np.isnan(flow.values["dead_channels"][1, 3])
    assert flow.select_weighted().modules == ["conv"]
    assert set(flow.values) == set(COLUMNS[4:])


def test_files_that_are_no_such_table_are_named(tmp_path):
    with pytest.raises(SegappError, match=r"a\.csv: missing; .*GradientFlow"):
        read_rows(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("step,loss\n1,2\n")
    with pytest.raises(SegappError, match=r"b\.csv: not a table of gradient flow"):
        read_rows(tmp_path / "b.csv")
    start_table(tmp_path / "c.csv", 0)
    with pytest.raises(SegappError, match="holds no measured step"):
        read_flow(tmp_path / "c.csv")


def test_a_table_of_fields_that_are_mostly_missing_is_refused(tmp_path):
    """Every row a step and a module of its own: 8,000 of them would be a grid of 64 million fields."""
    start_table(tmp_path / "gradient_flow.csv", 0)
    append_rows(tmp_path / "gradient_flow.csv", [[1, n, n, f"m{n}", *[0.5] * 8] for n in range(40)])
    with pytest.raises(SegappError, match="missing"):
        read_flow(tmp_path / "gradient_flow.csv")


def test_no_module_may_have_weights(tmp_path):
    path = tmp_path / "gradient_flow.csv"
    start_table(path, 0)
    append_rows(path, [[0, 1, 0, "relu", math.inf, None, None, None, 0.25, 0.5, 1.0, 0]])
    assert read_flow(path).select_weighted().modules == []
