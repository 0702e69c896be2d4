"""Gradients of freshly initialised networks of growing depth."""
