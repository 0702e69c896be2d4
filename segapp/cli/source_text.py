"""Read names from the source text of segapp and Lightning without importing either, which takes seconds."""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def find_file(module: str) -> Path | None:
    """Return the file of a module, or None; imports nothing."""
    package, *inside = module.split(".")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]).joinpath(*inside)
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def list_public_names(module: str) -> list[str] | None:
    """List the classes, functions and imported names of a module; None where its text does not name all of them."""
    file = find_file(module)
    if file is None:
        return None
    names: list[str] = []
    for node in _parse_file(file).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return None if {"__getattr__", "*"} & set(names) else names


def list_parameters(module: str, name: str) -> list[str] | None:
    """Return the parameters of a function, or of a class's constructor; None where its text does not name all."""
    file = find_file(module)
    for node in _parse_file(file).body if file else ():
        if isinstance(node, ast.ImportFrom) and name in [alias.asname or alias.name for alias in node.names]:
            original = next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
            return list_parameters(node.module or "", original) if node.level == 0 else None
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _list_arguments(node)
        if isinstance(node, ast.ClassDef) and node.name == name:
            inits = (part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__")
            init = next(inits, None)  # that of a base class is not looked for
            found = _list_arguments(init) if init else None
            return None if found is None else found[1:]
    return None


def _list_arguments(function: ast.FunctionDef) -> list[str] | None:
    if function.args.kwarg is not None:
        return None
    return [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]


@cache
def _parse_file(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))
