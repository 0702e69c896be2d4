"""The mathematics of windows: from an image of any size to logits and class indices.

Nothing on the way from an exported bundle to a mask imports torch.
"""
