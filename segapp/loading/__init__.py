"""From a Source to batches."""
