"""Output to terminals: escaped text, progress, and streams that may be closed."""
