"""The engines as test parameters; one whose package is absent is skipped, saying so."""

from importlib.util import find_spec

import pytest


def needs(package: str) -> pytest.MarkDecorator:
    """Skip where a package is not installed."""
    absent = find_spec(package) is None
    return pytest.mark.skipif(absent, reason=f"needs {package}: pip install it to run this test")


EXPORTED = [
    pytest.param("openvino", marks=needs("openvino")),
    pytest.param("onnx", marks=needs("onnxruntime")),
]
"""Engines that run the exported graphs."""
