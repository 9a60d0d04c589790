"""`wordsight train`."""
