"""The PARSeq decoder and its permutations."""
