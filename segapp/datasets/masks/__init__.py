"""How masks are written in files."""
