"""Every kernel file has a slow twin in pileup.twins; the twin of what all kernels share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pileup.kernels import spans
from pileup.twins import spans as twin_spans
from tests.pileup.windows import repeatable


def test_every_kernel_file_has_a_twin(root) -> None:
    kernels = {path.name for path in (root / "pileup" / "kernels").rglob("*.py")}
    twins = {path.name for path in (root / "pileup" / "twins").glob("*.py")}
    # The twin of `records` is htslib (tests/varcall/reads/htslib_reads.py); that of `places`, which
    # `foreign` and `reassemble` share, is in theirs.
    without = {"walk.py", "records.py", "arrays.py", "places.py"}
    assert kernels - without == twins - {"alignment.py"}


@given(st.lists(st.integers(-3, 3) | st.integers(0, 2**40)))
@repeatable
def test_order(keys: list[int]) -> None:
    assert spans.order_of(np.array(keys, np.int64)).tolist() == twin_spans.order_of(keys)
