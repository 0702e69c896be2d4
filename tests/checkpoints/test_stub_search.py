"""Looking for the types of a class's parameters starts no process: it would import from the current folder."""

import torch
from jsonargparse import ArgumentParser, _stubs_resolver

from segapp.checkpoints import stub_search
from tests.cli import hostile


def test_stubs_are_found_without_another_python(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("open('ran', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_stubs_resolver, "stubs_resolver", None)
    parser = ArgumentParser(exit_on_error=False)
    with hostile.watched() as seen:
        parser.add_class_arguments(torch.nn.CrossEntropyLoss, "loss")
        context = stub_search.get_search_context(allow_py_files=False)
    assert not seen
    assert not (tmp_path / "ran").exists()
    assert tmp_path not in context.search_path and context.search_path
    assert _stubs_resolver.get_stubs_resolver().ctx.search_path == context.search_path
