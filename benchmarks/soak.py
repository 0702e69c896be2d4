"""Check that a long `segapp fit` leaks no memory, workers, file descriptors or files.

    python benchmarks/soak.py --minutes 65 --output soak          # Linux; on an idle machine or a busy one

Trains `configs/unet.yaml` with two loader workers on few, small `Cells`, so that epochs, and with them validations,
checkpoints, curves and restarted workers, follow each other fast. Every ten seconds it reads from /proc the memory of
the training process and of its children (PSS without mapped files: a page that n processes share counts 1/n in each),
how many processes and open file descriptors there are, and the files in /dev/shm and in the run's temporary folder.
When the time is over it sends SIGTERM, as a cluster would, and looks at what is left.

Writes `samples.csv`, `soak.png` and `verdict.txt` into the output folder, beside the run. The trend is the slope of the
five-minute means after a warm-up, with its 95 % interval (Student's t): memory that leaks has one above zero, and the
interval says how small a leak this run could have seen. Give it a /dev/shm of its own to count nobody else's files:

    unshare --mount sh -c 'mount -t tmpfs tmpfs /dev/shm && exec python benchmarks/soak.py --minutes 65 --output soak'
"""

import argparse
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import linregress, t

CONFIG = Path(__file__).parents[1] / "configs" / "unet.yaml"
MEGABYTE = 2**20
SMALL = [
    *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.max_epochs=1000000"),
    *("--data.num_workers=2", "--data.batch_size=8", "--data.crop=64", "--data.window=64"),
    *("--data.source.init_args.size=96", "--data.source.init_args.train=16"),
    *("--data.source.init_args.val=4", "--data.source.init_args.test=4"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=65)
    parser.add_argument("--warm_up", type=float, default=10, help="minutes that the trend leaves out")
    parser.add_argument("--every", type=float, default=10, help="seconds between two samples")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    output = options.output.resolve()
    temporary = output / "temporary"
    temporary.mkdir(parents=True)
    with (output / "log.txt").open("wb") as log:
        fit = subprocess.Popen(
            [sys.executable, "-m", "segapp", "fit", "--config", str(CONFIG), "--job", "soak", *SMALL],
            **{"cwd": output, "stdout": log, "stderr": subprocess.STDOUT},
            env=os.environ | {"TMPDIR": str(temporary)},
        )
        before = files(Path("/dev/shm"))
        seen = watch(fit, temporary, before, options, output / "samples.csv")
        fit.send_signal(signal.SIGTERM)
        code = fit.wait(timeout=300)
    time.sleep(2)
    left = (
        {pid for pid, start in seen if birth(pid) == start != "ended"},
        files(Path("/dev/shm")) - before,
        files(temporary),
    )
    samples = read(output / "samples.csv")
    text = verdict(samples, options.warm_up, epochs(output), code, left)
    (output / "verdict.txt").write_text(text)
    draw(samples, options.warm_up, output / "soak.png")
    print(text, end="")


# ---------------------------------------------------------------------------------------------------- sampling


def watch(
    fit: "subprocess.Popen[bytes]", temporary: Path, before: set[Path], options: argparse.Namespace, path: Path
) -> set[tuple[int, str]]:
    """Sample until the time is over or the fit has ended by itself; the children ever seen, and their births."""
    started, seen = time.monotonic(), set[tuple[int, str]]()
    with path.open("w", newline="") as file:
        writer = None
        while fit.poll() is None and time.monotonic() - started < options.minutes * 60:
            children = descendants(fit.pid)
            seen |= {(pid, birth(pid)) for pid in children}
            row = {
                "minutes": round((time.monotonic() - started) / 60, 3),
                "main_mb": memory(fit.pid),
                "workers_mb": sum(map(memory, children)),
                "processes": 1 + len(children),
                "descriptors": descriptors(fit.pid),
                "worker_descriptors": sum(map(descriptors, children)),
                "shared_memory_files": len(files(Path("/dev/shm")) - before),
                "temporary_files": len(files(temporary)),
            }
            writer = writer or csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            time.sleep(options.every)
    return seen


def descendants(pid: int) -> list[int]:
    """Return the descendants of a process, over all of its threads."""
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *descendants(child)]
    except (FileNotFoundError, ProcessLookupError):  # it ended while it was looked at
        return found
    return found


def memory(pid: int) -> float:
    """Return the PSS in MB of memory it allocated or shares with its workers; 0 if the process has ended.

    Without mapped files: whoever else on the machine uses torch takes a share of its libraries, and gives it back.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return round(sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))) / 1024, 2)


def descriptors(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return 0


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


def birth(pid: int) -> str:
    """Return when the process started, which identifies it if its number is reused; "ended" after its end."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "ended"
    return "ended" if state == "Z" else fields[18]


# ---------------------------------------------------------------------------------------------------- judging


def read(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def epochs(output: Path) -> int:
    with (output / "runs" / "unet" / "soak" / "metrics.csv").open(newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def trend(minutes: np.ndarray, values: np.ndarray, warm_up: float) -> str:
    """Return the slope per hour of the five-minute means after the warm-up, with Student's 95 % interval."""
    late = minutes >= warm_up
    group = ((minutes[late] - warm_up) // 5).astype(int)
    counts = np.bincount(group)
    if len(counts) < 4:
        return "too short for a trend"
    if np.ptp(values[late]) == 0:
        return "constant"
    means = [np.bincount(group, part[late])[counts > 0] / counts[counts > 0] for part in (minutes / 60, values)]
    line = linregress(*means)
    reach = t.ppf(0.975, len(means[0]) - 2) * line.stderr
    return f"{line.slope:+.1f} an hour ({line.slope - reach:+.1f} … {line.slope + reach:+.1f})"


def verdict(
    samples: dict[str, np.ndarray], warm_up: float, epochs: int, code: int, left: tuple[set[int], set[Path], set[Path]]
) -> str:
    minutes = samples["minutes"]
    lines = [
        f"{minutes[-1]:.1f} minutes, {epochs} epochs, {len(minutes)} samples; ended by SIGTERM with code {code}",
        "",
    ]
    lines += ["| | after the warm-up: first five minutes | last five | slope |", "|---|---|---|---|"]
    samples = samples | {"all_mb": samples["main_mb"] + samples["workers_mb"]}
    for name, values in samples.items():
        if name != "minutes":
            first = values[(minutes >= warm_up) & (minutes < warm_up + 5)]
            last = values[minutes >= minutes[-1] - 5]
            start = f"{first.mean():.1f}" if len(first) else "none"
            lines.append(f"| {name} | {start} | {last.mean():.1f} | {trend(minutes, values, warm_up)} |")
    kinds = ("processes", "files in /dev/shm", "files in the temporary folder")
    for what, rest in zip(kinds, [list(map(str, part)) for part in left], strict=True):
        names = "".join(f"\n    {one}" for one in sorted(rest)[:10])
        lines += ["", f"left behind: {len(rest)} {what}{names}"]
    return "\n".join(lines) + "\n"


def draw(samples: dict[str, np.ndarray], warm_up: float, path: Path) -> None:
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    minutes = samples["minutes"]
    above.plot(minutes, samples["main_mb"] + samples["workers_mb"], color="black", label="all")
    above.plot(minutes, samples["main_mb"], label="training process")
    above.plot(minutes, samples["workers_mb"], label="loader workers")
    above.set(ylabel="memory (PSS), MB", ylim=(0, None), title="A long fit on few, small Cells")
    below.plot(minutes, samples["processes"], label="processes")
    below.plot(minutes, samples["descriptors"], label="descriptors of the training process")
    below.plot(
        minutes,
        samples["shared_memory_files"] + samples["temporary_files"],
        label="files, /dev/shm and temporary",
    )
    below.set(xlabel="minutes", ylabel="count", ylim=(0, None))
    for axes in (above, below):
        axes.axvspan(0, warm_up, color="0.93")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
