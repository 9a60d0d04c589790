"""`wordsight eval`."""
