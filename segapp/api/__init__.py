"""What scripts and notebooks use: load a network, predict, evaluate, and the callbacks of a training."""
