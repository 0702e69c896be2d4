"""segapp: train, understand and ship U-Nets, with one command each."""

__version__ = "0.1.0"
