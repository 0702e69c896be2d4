"""Gradients, weights and activations of a network while it trains."""

from segapp.lab.gradient_flow.callback import GradientFlow

__all__ = ["GradientFlow"]
