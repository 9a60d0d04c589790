"""CLIPTER's experiments: is it the scene that helps, when, and what does it cost? Declared in `experiments`."""
