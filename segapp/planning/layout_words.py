"""Words in the names of files and folders that tell what they hold."""

import re

MASK_WORDS = re.compile(
    r"mask|label|seg|gt|anno|truth|target|manual|lesion|trimap|semantic|(?:^|[^a-z])(?:ann|lab|roi|map)(?:[^a-z]|$)",
    re.IGNORECASE,
)
IMAGE_WORDS = re.compile(r"im(?:age|g)|rgb|photo|orig|input|scan|sat|raw|(?:^|[^a-z])train", re.IGNORECASE)
OTHER_WORDS = re.compile(
    r"colou?r|instance|panoptic|edge|border|contour|skelet|superpix|overlay|vi[sz]|prob|polygon", re.IGNORECASE
)
"""Words in names of what is no mask of classes, or one in another form."""


def rank_masks(name: str) -> int:
    """Return how unlikely it is that files with these words in their names are masks of classes, from 0."""
    if OTHER_WORDS.search(name):
        return 3
    if re.search("labelids", name, re.IGNORECASE):
        return 0
    return 1 if MASK_WORDS.search(name) else 2
