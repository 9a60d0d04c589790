"""wordsight inside other programs, a module for each."""
