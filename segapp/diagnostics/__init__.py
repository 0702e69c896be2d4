"""What a network does inside: gradient flow, weight updates, the loss surface."""
