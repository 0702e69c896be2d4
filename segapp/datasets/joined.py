"""Several data sets that are trained on and scored as one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from segapp.datasets.item_checks import find_path
from segapp.datasets.joined_settings import join_classes, list_names, list_weights, require_equal
from segapp.datasets.masks.remapped_mask import RemappedMask
from segapp.datasets.problems import Problem
from segapp.datasets.source import SPLITS, Item, MaskReference, Source, SplitName
from segapp.errors import MisuseError, SegappError
from segapp.spec import Intensity, Resolution


class Joined(Source):
    """Several data sets as one: classes are matched by name, and each keeps its own split, groups and masks.

    Every image is called `<name of its data set>/<its own name>`, in tables and in predictions too.

    Args:
        sources: The data sets, with the same background and equal channels, `intensity`, `axis`, `neighbours` and
            `resolution`. A class that one of them does not have was not looked for there: its background may be of
            that class.
        weights: Relative number of training samples from each in an epoch, above 0; an epoch has as many samples as
            without them. Default: every image once.
        names: Of the data sets, with which the names of their images begin. Default: 1, 2, ….
    """

    def __init__(self, sources: Sequence[Source], weights: Sequence[float] = (), names: Sequence[str] = ()) -> None:
        self.sources = tuple(sources)
        if len(self.sources) < 2:
            raise MisuseError(f"sources: 2 or more data sets are needed, got {len(self.sources)}.")
        if any(isinstance(source, Joined) for source in self.sources):
            raise MisuseError("sources: one is joined itself; list all data sets in one segapp.datasets.Joined.")
        self.names = list_names(names, len(self.sources))
        self.weights = list_weights(weights, len(self.sources))
        self.classes, self.background, self.palette = join_classes(self._by_name)
        self.cuts_images = any(source.cuts_images for source in self.sources)
        self.axis, self.neighbours = self._require_one("axis"), self._require_one("neighbours")
        self.channel_files = self._require_one("channel_files", ignored=())

    @cached_property
    def channels(self) -> int:
        """Those of every data set; MisuseError where they differ."""
        channels: int = self._require_one("channels")
        return channels

    @cached_property
    def intensity(self) -> Intensity:
        """That of every data set; MisuseError where they differ."""
        intensity: Intensity = self._require_one("intensity")
        return intensity

    @cached_property
    def resolution(self) -> Resolution | None:
        """That of every data set; MisuseError where they differ."""
        resolution: Resolution | None = self._require_one("resolution", ignored=())
        return resolution

    def items(self, split: SplitName) -> Sequence[Item]:
        """Return the split's items of every data set, one set after the other; MisuseError for leaks among them."""
        return self._items[split]

    def item_names(self) -> list[str]:
        """Return the names of all images of all data sets."""
        return [f"{name}/{one}" for name, source in self._by_name.items() for one in source.item_names()]

    def select(self, names: Sequence[str]) -> list[Item]:
        """Return the items of these names, whatever the split."""
        found: dict[str, Item] = {}
        for number, (prefix, source) in enumerate(self._by_name.items()):
            own = _list_own(names, f"{prefix}/")
            found |= {item.name: item for item in self._adopt(number, source.select(own))}
        return [found[name] for name in names]

    def select_splits(self, names: Mapping[SplitName, Sequence[str]]) -> dict[SplitName, list[Item]]:
        """Return the items of each split by name, as every data set returns its own."""
        found: dict[str, Item] = {}
        for number, (prefix, source) in enumerate(self._by_name.items()):
            own = {split: _list_own(names.get(split, ()), f"{prefix}/") for split in SPLITS}
            for items in source.select_splits(own).values():
                found |= {item.name: item for item in self._adopt(number, items)}
        return {split: [found[name] for name in names.get(split, ())] for split in SPLITS}

    def layout_problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the layout of every data set, and where they do not agree."""
        for number, source in enumerate(self.sources):
            for problem in source.layout_problems():
                setting = f"sources[{number}].{problem.setting}" if problem.setting else f"sources[{number}]"
                items = tuple(f"{self.names[number]}/{name}" for name in problem.items)
                message = f"data set {self.names[number]}: {problem.message}"
                yield replace(problem, message=message, setting=setting, items=items)
        checks: list[Callable[[], Any]] = [
            lambda: self.channels,
            lambda: self.intensity,
            lambda: self.resolution,
            self._refuse_leaks,
        ]
        for check in checks:
            try:
                check()
            except SegappError as error:
                yield Problem("layout", str(error), setting="sources")

    def checkable_items(self) -> dict[SplitName, Sequence[Item]]:
        """Return the items of every data set whose files can be read."""
        return self._join(lambda source: source.checkable_items())

    @cached_property
    def _by_name(self) -> dict[str, Source]:
        return dict(zip(self.names, self.sources, strict=True))

    @cached_property
    def _items(self) -> Mapping[SplitName, Sequence[Item]]:
        self._refuse_leaks()
        return self._join(lambda source: {split: source.items(split) for split in SPLITS})

    def _join(
        self, list_items: Callable[[Source], Mapping[SplitName, Sequence[Item]]]
    ) -> dict[SplitName, Sequence[Item]]:
        joined: dict[SplitName, list[Item]] = {split: [] for split in SPLITS}
        for number, source in enumerate(self.sources):
            for split, items in list_items(source).items():
                joined[split] += self._adopt(number, items)
        return dict(joined)

    def _adopt(self, number: int, items: Sequence[Item]) -> list[Item]:
        """Return the items of a data set with the names, groups and class indices that they have here."""
        name, source = self.names[number], self.sources[number]
        indices = [self.classes.index(one) for one in source.classes]
        remap: Callable[[MaskReference], MaskReference] = partial(RemappedMask, indices=indices)
        return [
            replace(
                item,
                name=f"{name}/{item.name}",
                group=f"{name}/{item.group}",
                mask=item.mask if source.classes == self.classes or item.mask is None else remap(item.mask),
                source=number,
                looked_for=self._list_looked_for(source, item),
            )
            for item in items
        ]

    def _list_looked_for(self, source: Source, item: Item) -> tuple[bool, ...] | None:
        """Return for each class here whether it was looked for in an image of a data set; None where all were."""
        own = item.looked_for or (True,) * len(source.classes)
        known = {name for name, looked_for in zip(source.classes, own, strict=True) if looked_for}
        return None if known >= set(self.classes) else tuple(name in known for name in self.classes)

    def _require_one(self, what: str, ignored: Any = None) -> Any:
        return require_equal({name: getattr(source, what) for name, source in self._by_name.items()}, what, ignored)

    def _refuse_leaks(self) -> None:
        """Raise MisuseError for a file that is trained on in one data set and scored in another."""
        homes: dict[tuple[Path, bool], str] = {}
        for name, source in self._by_name.items():
            for split, items in source.checkable_items().items():
                for path in filter(None, {find_path(item.image) for item in items}):
                    file, trained = path.resolve(), split == "train"
                    homes.setdefault((file, trained), name)
                    if (other := homes.get((file, not trained), name)) != name:
                        verbs = (name, other) if trained else (other, name)
                        raise MisuseError(
                            f"{path} is a training image of the data set {verbs[0]} and is scored in {verbs[1]}: "
                            "`exclude` it in one, or give both the same `split`."
                        )


def _list_own(names: Sequence[str], prefix: str) -> list[str]:
    """Return the names that begin with a prefix, without it."""
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
