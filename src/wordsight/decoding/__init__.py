"""Decoding of recognizers in NumPy, the same code for every engine."""
