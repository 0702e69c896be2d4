"""One typed function per file: its docstring is its help."""
