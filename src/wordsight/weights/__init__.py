"""Other people's checkpoints into ours, and ours into packs."""
