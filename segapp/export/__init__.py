"""Export trained networks to files that run elsewhere, and verify that they compute the same."""
