"""What a network does inside: gradient flow, weight updates, the loss surface."""

from segapp.diagnostics.gradient_flow import GradientFlow

__all__ = ["GradientFlow"]
