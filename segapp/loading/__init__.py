"""Make batches of a Source."""
