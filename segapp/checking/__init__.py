"""Looks for what is wrong with a data set before an epoch is spent on it."""
