"""TGA: Truevision's images, from games and renderers."""

from segapp.io.formats.pillow import PillowFormat


class Targa(PillowFormat):
    """Truevision TGA, plain or run-length encoded. Its files have no mark at their beginning: the suffix tells."""

    name = plugin = "TGA"
    suffixes = (".tga",)
