"""The recognizers, in PyTorch."""
