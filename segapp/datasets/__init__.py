"""Data sets: which images and masks there are, how they are divided and how masks are written."""

from segapp.datasets.cells import Cells
from segapp.datasets.colours import Colours
from segapp.datasets.folder import Folder
from segapp.datasets.lists import Lists
from segapp.datasets.masks import Encoding
from segapp.datasets.objects import Instances, PerClass
from segapp.datasets.source import Item, Source
from segapp.datasets.splits import Contiguous, Folders, Fraction, KFold, Split
from segapp.datasets.threshold import Threshold
from segapp.datasets.values import Indices

__all__ = [
    "Source",
    "Item",
    "Folder",
    "Cells",
    "Split",
    "Folders",
    "Lists",
    "Fraction",
    "Contiguous",
    "KFold",
    "Encoding",
    "Indices",
    "Colours",
    "Threshold",
    "Instances",
    "PerClass",
]
