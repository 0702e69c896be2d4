"""What this machine, or the container we are in, gives us; `segapp doctor` judges it."""

from segapp.machine.checks import Finding, examine
from segapp.machine.facts import Facts, Folder, Gpu, Package, gather
from segapp.machine.limits import usable_cores

__all__ = ["Facts", "Finding", "Folder", "Gpu", "Package", "examine", "gather", "usable_cores"]
