"""The functions for scripts and notebooks: load a network, predict, evaluate, and the callbacks of a training."""
