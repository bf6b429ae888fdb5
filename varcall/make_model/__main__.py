"""``python -m varcall.make_model``: what `make model` runs."""

from varcall.make_model.run import main

if __name__ == "__main__":
    main()
