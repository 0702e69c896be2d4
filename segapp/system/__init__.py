"""Limits and facts of this machine or container, and the checks of `segapp doctor`."""
