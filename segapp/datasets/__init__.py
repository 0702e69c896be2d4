"""Data sets: which images and masks there are, how they are divided and how masks are written."""

from segapp.datasets.annotations.coco import Coco
from segapp.datasets.annotations.cvat import Cvat
from segapp.datasets.annotations.geojson import GeoJson
from segapp.datasets.annotations.geopackage import GeoPackage
from segapp.datasets.annotations.label_studio import LabelStudio
from segapp.datasets.annotations.labelme import LabelMe
from segapp.datasets.annotations.qupath import QuPath
from segapp.datasets.annotations.rt_struct import RtStruct
from segapp.datasets.annotations.shapefile import Shapefile
from segapp.datasets.annotations.supervisely import Supervisely
from segapp.datasets.annotations.via import Via
from segapp.datasets.annotations.yolo import Yolo
from segapp.datasets.cells import Cells
from segapp.datasets.folder import Folder
from segapp.datasets.joined import Joined
from segapp.datasets.masks.colours import Colours
from segapp.datasets.masks.encoding import Encoding, PixelEncoding
from segapp.datasets.masks.objects import Instances, PerClass
from segapp.datasets.masks.threshold import Threshold
from segapp.datasets.masks.values import Indices
from segapp.datasets.problems import Problem
from segapp.datasets.source import Item, Source
from segapp.datasets.split_blocks import Blocks
from segapp.datasets.split_lists import Lists
from segapp.datasets.splits import Contiguous, Folders, Fraction, KFold, Split

__all__ = [
    "Source",
    "Item",
    "Problem",
    "Folder",
    "Joined",
    "Cells",
    "Split",
    "Folders",
    "Lists",
    "Fraction",
    "Contiguous",
    "Blocks",
    "KFold",
    "Encoding",
    "PixelEncoding",
    "Indices",
    "Colours",
    "Threshold",
    "Instances",
    "PerClass",
    "Coco",
    "LabelMe",
    "Yolo",
    "Cvat",
    "LabelStudio",
    "QuPath",
    "RtStruct",
    "GeoJson",
    "GeoPackage",
    "Shapefile",
    "Supervisely",
    "Via",
]
