"""How sure it is that a base is as in the reference, for every base of a window."""
