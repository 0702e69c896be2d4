"""GIF of one frame."""

import PIL.Image

from segapp.io.file_part import FilePart
from segapp.io.formats.pillow import PillowFormat


class Gif(PillowFormat):
    """Graphics Interchange Format: 256 colours of a palette."""

    name = plugin = "GIF"
    suffixes = (".gif",)
    magic = (b"GIF87a", b"GIF89a")

    def _check(self, file: FilePart, image: PIL.Image.Image) -> None:
        self._refuse_animation(file, image)
