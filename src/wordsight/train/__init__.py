"""Training: Lightning module, optimiser groups, schedule."""
