"""The tables of CLIP4STR's paper, and how large a difference must be for a table to show it."""
