"""Slow, readable twins of the kernels: what each kernel means, in plain Python, for the tests."""
