"""What a terminal shows and how: escaped text, progress, and streams that may be closed."""
