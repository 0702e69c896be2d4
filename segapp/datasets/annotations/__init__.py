"""Annotations as masks: files in which tools keep the shapes that people drew, one file a kind."""
