"""Write what the parts measured as Markdown, `tables.md` beside their JSON files, and print it.

python benchmarks/gpu/tables.py runs/gpu
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from accuracy_rows import format_table, read_rows

NOT = "not measured"
Measurements = Mapping[str, Mapping[str, Any]]


def main() -> None:
    """Write and print the tables of one folder."""
    folder = Path(sys.argv[1])
    parts = [write_part(folder / f"{part}.json", write) for part, write in PARTS.items()]
    rows = read_rows(folder / "accuracy" / "accuracy.csv")
    text = "\n\n".join([*parts, f"## Accuracy\n\n{format_table(rows) if rows else f'{NOT}.'}"]) + "\n"
    (folder / "tables.md").write_text(text)
    print(text)


def write_part(path: Path, write: Any) -> str:
    """Return the tables of one part."""
    title = f"## {path.stem.capitalize()}"
    if not path.is_file():
        return f"{title}\n\n{NOT}."
    content = json.loads(path.read_text())
    device = ", ".join(f"{key} {value}" for key, value in content["device"].items())
    tiny = "\n\nSmallest sizes, to try the kit: these figures mean nothing." if content["tiny"] else ""
    return f"{title}\n\n{device}{tiny}\n\n{write(content['measurements'])}\n\n{write_failures(content['measurements'])}"


def write_failures(measurements: Measurements) -> str:
    """Return what failed or was left out, a line each."""
    kept = {name: values.get("error") or values.get("skipped") for name, values in measurements.items()}
    return "\n".join(f"* {name}: {why}" for name, why in kept.items() if why)


def write_throughput(measurements: Measurements) -> str:
    """Return the steps by network and size, and the loader's rates."""
    peak = measurements.get("peak", {}).get("tflops")
    kinds = ["bare", "contiguous", "cudnn.benchmark", "compiled", "segapp", "SMP 32-true", "SMP bf16-mixed"]
    cases = unique(name.split("/", 1)[1] for name in measurements if name.split("/")[0] in kinds)
    rows = [
        row for case in cases for kind in kinds if (row := describe(measurements, kind, case, peak, cases)) is not None
    ]
    header = [
        "network",
        "px",
        "batch",
        "arm",
        "images/s",
        "ms a step",
        "of bare",
        "TFLOP/s",
        "MFU",
        "peak GB",
        "first s",
    ]
    loaders = [
        [name.split("/", 1)[1], values["images_per_second"]]
        for name, values in measurements.items()
        if name.startswith("loader/") and "images_per_second" in values
    ]
    fed = [
        [f"segapp fit, {name.split('/')[1]}", values["images_per_second"]]
        for name, values in measurements.items()
        if name.startswith("fed/") and "images_per_second" in values
    ]
    dense = f"Dense bf16 peak, measured: {peak if peak is not None else NOT} TFLOP/s."
    return "\n\n".join([dense, table(header, rows), table(["fed by the loader", "images/s"], loaders + fed)])


def describe(
    measurements: Measurements, kind: str, case: str, peak: float | None, cases: Sequence[str]
) -> list[Any] | None:
    """Return a row of the table of steps; None where nobody meant to measure it."""
    values, bare = measurements.get(f"{kind}/{case}"), measurements.get(f"bare/{case}", {})
    if values is None:
        return None
    network, size = case.split("/")
    if "ms" not in values:
        return [network, size, "", kind, NOT, *[""] * 6]
    rate, ms = values["images_per_second"], values["ms"]
    beside = f"{bare['ms'] / ms:.3f}" if "ms" in bare else ""
    flops = None if kind.startswith("SMP") else values.get("gflops", bare.get("gflops"))
    done = flops / ms if flops is not None else None  # GFLOP a ms is TFLOP/s
    use = f"{done / peak:.1%}" if done is not None and peak else ""
    shown = "" if done is None else f"{done:.1f}"
    rest = [beside, shown, use, values["peak_gb"], values.get("first_s")]
    return [network, size, values["batch"], kind, rate, ms, *rest]


def write_predict(measurements: Measurements) -> str:
    """Return the rates from files to files beside the bare network's."""
    rows = []
    for name, values in measurements.items():
        kind, net = name.split("/")
        bare = measurements.get(f"bare/{net}", {}).get("windows_per_second")
        if kind in ("folder", "large"):
            rate = values.get("windows_per_second")
            opening = measurements.get(f"opening/{net}", {}).get("opening_s", "")
            beside = f"{rate / bare:.3f}" if rate and bare else ""
            rest = [values.get(key, "") for key in ("total_s", "gpu_use_percent", "peak_gb")]
            rows.append([net, kind, rate or NOT, bare or NOT, beside, *rest, opening])
    header = ["network", "input", "windows/s", "bare", "of bare", "s in all", "GPU use %", "peak GB", "opening s"]
    return table(header, rows)


def write_correct(measurements: Measurements) -> str:
    """Return the checks, a row each."""
    rows = []
    for name, values in measurements.items():
        passed = {True: "passed", False: "**failed**", None: "skipped"}[values.get("passed")]
        state = passed if "passed" in values else "**error**" if "error" in values else NOT
        rows.append([name, state, values.get("value", ""), values.get("note", ""), values.get("seconds", "")])
    return table(["check", "result", "value", "", "s"], rows)


PARTS = {
    "throughput": write_throughput,
    "predict": write_predict,
    "correct": write_correct,
}


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; None is an empty cell, and a bar in a cell is escaped."""
    cells = [["" if cell is None else str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [list(header), ["---"] * len(header), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def unique(values: Iterable[str]) -> list[str]:
    """Return the values once each, in order."""
    return list(dict.fromkeys(values))


if __name__ == "__main__":
    main()
