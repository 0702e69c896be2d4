"""`segapp doctor`: finds common problems of a machine or container before a training."""

from pathlib import Path

from segapp.inference.runtime import has_native_bf16
from segapp.system.checks import Finding, examine
from segapp.system.facts import gather


def doctor(runs: str = "runs") -> int:
    """Check this machine or container, and report what would fail in a training.

    One line per check: ok, warning or problem, what was found, what to do. The exit code is 1 if there is a problem.
    Nothing is changed or downloaded.

    Args:
        runs: Folder to which runs would be written.
    """
    findings = examine(gather(Path(runs), has_native_bf16))
    for finding in findings:
        print(finding)
    print(_format_summary(findings))
    return 1 if any(finding.level == "problem" for finding in findings) else 0


def _format_summary(findings: list[Finding]) -> str:
    problems, warnings = (sum(finding.level == level for finding in findings) for level in ("problem", "warning"))
    if not problems and not warnings:
        return "all well; next: segapp fit --config configs/unet.yaml"
    return f"{problems} {_format_plural('problem', problems)}, {warnings} {_format_plural('warning', warnings)}"


def _format_plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
