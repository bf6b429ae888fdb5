"""The VCF of `--all-sites`: records of bases as in the reference stand between those of variants.

A base has one record. One that lies in REF of a variant is told by the variant's; the variant may
be of the window, the shard or the run before, so this is seen where lines are written in order.
"""

from collections.abc import Iterable, Iterator

ALL_SITES_HEADER = "##varcall_all_sites=yes\n"
NO_ALT = "."


class Uncovered:
    """Leaves out the reference bases that lie in REF of a variant; lines come in order."""

    def __init__(self) -> None:
        self._contig = ""
        self._reach = 0  # POS after the last base of REF so far

    def of(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield what is left of the next lines."""
        for line in lines:
            contig, pos, _, ref, alts, _ = line.split("\t", 5)
            if contig != self._contig:
                self._contig, self._reach = contig, 0
            if alts != NO_ALT:
                self._reach = max(self._reach, int(pos) + len(ref))
            elif int(pos) < self._reach:
                continue
            yield line
