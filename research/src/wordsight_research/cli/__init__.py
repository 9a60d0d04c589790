"""The commands of `wordsight-research`, one per file."""
