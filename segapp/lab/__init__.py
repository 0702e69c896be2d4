"""The laboratory: why a network trains as it does, by subject."""
