"""From a trained network to files that run elsewhere, and the proof that they do the same."""
