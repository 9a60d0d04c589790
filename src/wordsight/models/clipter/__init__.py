"""CLIPTER (arXiv 2301.07464): any crop recognizer, told by gated cross-attention what scene its crop came from."""
