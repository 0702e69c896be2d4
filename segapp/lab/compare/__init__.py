"""Comparison of finished runs, and of the predictions of other tools."""
