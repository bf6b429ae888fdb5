"""The weights that come with the package, and how a file of weights is read and written."""
