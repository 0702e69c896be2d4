"""The smallest complete config."""

from pathlib import Path

TINY = Path(__file__).parents[1] / "tiny.yaml"
