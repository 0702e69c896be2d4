"""Writers of what `segapp predict` saves: one class per kind of output, listed in `registry.py`."""
