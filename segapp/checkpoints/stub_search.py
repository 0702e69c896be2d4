"""Makes jsonargparse look for type stubs only in the paths that this process imports from.

typeshed_client would ask a second Python, started in the current folder with `-c "import sys, json; …"`: a file json.py
that lies beside a checkpoint would run. Stubs are parsed, never imported.
"""

import sys
from pathlib import Path
from typing import Any

import typeshed_client

_make_context = typeshed_client.get_search_context


def get_search_context(**options: Any) -> Any:
    """Return typeshed_client's search context without starting a process."""
    paths = [Path(path) for path in sys.path if path]  # the current folder is not searched
    return _make_context(**{"search_path": paths, **options})


typeshed_client.get_search_context = get_search_context
