"""Rendering words: an endless supply of labelled crops for training."""
