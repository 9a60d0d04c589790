"""`wordsight models`."""
