"""`python -m wordsight`, the same as `wordsight`."""

from wordsight.cli.main import main

if __name__ == "__main__":
    main()
