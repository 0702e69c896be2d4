"""YAML files that users wrote: mistakes are reported with their line, and sizes are bounded."""

import re
from pathlib import Path
from typing import Any

import yaml

from segapp.errors import MisuseError
from segapp.system.text_files import read_text

LARGEST = 2**22
"""Bytes of a config."""
MOST_VALUES = 100_000
"""Most values of a config; a value that an alias repeats counts each time."""
DEEPEST = 64
"""Lists and mappings inside one another."""


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds; MisuseError where it cannot be read as that, and nothing of it is shown."""
    text = read_text(path, LARGEST)
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Return what a YAML text holds; MisuseError as `read_yaml`'s."""
    try:
        return yaml.load(text, _BoundedLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        location = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise MisuseError(f"{where}: cannot be read as YAML ({error.problem or error.context}{location}).") from error
    except yaml.YAMLError as error:
        raise MisuseError(f"{where}: cannot be read as YAML: it contains characters that are not text.") from error
    except ValueError as error:  # a number too long for Python
        raise MisuseError(f"{where}: cannot be read as YAML ({error}).") from error


def format_yaml(content: Any) -> str:
    """Format plain data as YAML that `parse_yaml` and jsonargparse read back as the same."""
    return yaml.dump(content, Dumper=ExactDumper, sort_keys=False)


class _BoundedLoader(yaml.SafeLoader):
    """PyYAML's loader of plain data that refuses duplicate keys and aliases that repeat without end.

    Dates are text and 1e-3 is a number, as for jsonargparse: a run may be called 2026-01-31.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = self._values = 0
        self._sizes: dict[yaml.Node, int] = {}
        self._open: set[str] = set()
        self.yaml_implicit_resolvers = {
            letter: [(tag, expression) for tag, expression in known if tag != "tag:yaml.org,2002:timestamp"]
            for letter, known in type(self).yaml_implicit_resolvers.items()
        }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Count what is composed; an alias counts as much as what it repeats."""
        event: Any = self.peek_event()
        before = self._values
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self._open:
                raise _refused("an alias repeats what it is part of", event.start_mark)
            node = super().compose_node(parent, index)
            self._count(self._sizes.get(node, 1), event)  # type: ignore[arg-type]
            return node
        self._depth += 1
        if self._depth > DEEPEST:
            raise _refused(f"nested more than {DEEPEST} deep", event.start_mark)
        if event.anchor is not None:
            self._open.add(event.anchor)
        self._count(1, event)
        node = super().compose_node(parent, index)
        self._open.discard(event.anchor)
        self._depth -= 1
        if node is not None:
            self._sizes[node] = self._values - before
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse a duplicate key: the first value would be lost silently."""
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise _refused(f"the key {key.value[:40]!r} occurs twice in one mapping", key.start_mark)
                seen.add(key.value)
        return node

    def _count(self, values: int, event: Any) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise _refused(f"more than {MOST_VALUES:,} values", event.start_mark)


class ExactDumper(yaml.SafeDumper):
    """PyYAML's dumper of plain data that quotes text which would be read as a number."""


for _kind in (_BoundedLoader, ExactDumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
    )


def _refused(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
