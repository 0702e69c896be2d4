"""The loss surface around trained weights (Li et al. 2018)."""
