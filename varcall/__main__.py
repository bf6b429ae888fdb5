"""Run the command line with ``python -m varcall``."""

from varcall.cli import main

if __name__ == "__main__":
    main()
