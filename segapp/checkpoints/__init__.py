"""Checkpoints and bundles: read, written, and trusted no further than their data."""
