"""`python -m wordsight_research`, the same as `wordsight-research`."""

from wordsight_research.cli.main import main

if __name__ == "__main__":
    main()
