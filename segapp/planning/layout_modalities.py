"""Recognise files of one modality each: `a_t1` and `a_flair` are channels of the image `a`, and `a_seg` is its mask."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from segapp.io import find_suffix, remove_suffix
from segapp.natural_order import make_natural_key
from segapp.planning.layout_words import MASK_WORDS

MIN_ALIKE = 0.9
"""Of the cases so many have files of the same modalities, and a mask."""
MODALITY = re.compile(
    r"(.+?)([_\-. ]+(?:(?:t1|t2|pd|flair|dwi|adc|swi)(?:w|ce?|gd|n|f|post|pre)?|ct|pet|mr))", re.IGNORECASE
)
"""A name, and its last word, which is that of a kind of scan."""


def recognise_modalities(files: Sequence[Path]) -> tuple[str, ...]:
    """Return `channel_files` where each case has a file of each of several modalities, and a mask; empty for others."""
    endings: dict[tuple[Path, str], set[str]] = defaultdict(set)
    others: dict[Path, list[str]] = defaultdict(list)
    for path in filter(find_suffix, files):
        name = remove_suffix(path).name
        if found := MODALITY.fullmatch(name):
            endings[path.parent, found[1]].add(found[2])
        else:
            others[path.parent].append(name)
    if not endings:
        return ()
    common, count = Counter(map(frozenset, endings.values())).most_common(1)[0]
    masks = sum(_has_mask(case, others[folder]) for folder, case in endings)
    if len(common) < 2 or min(count, masks) < MIN_ALIKE * len(endings):
        return ()
    return tuple(f"{{name}}{ending}" for ending in sorted(common, key=make_natural_key))


def _has_mask(case: str, names: Sequence[str]) -> bool:
    return any(name.startswith(case) and MASK_WORDS.search(name[len(case) :]) for name in names)
