"""`python -m adapt_core` is the `adapt` command."""

from adapt_core.cli import main

if __name__ == "__main__":
    main()
