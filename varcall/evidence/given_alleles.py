"""Alleles that the user gives, as the evidence knows them: trimmed, left-aligned, of one kind."""

from collections.abc import Callable

from pileup.codes import INDEL, SUBSTITUTION
from varcall.evidence.alleles import left_align
from varcall.evidence.candidates import PutativeAllele

_BASES = frozenset("ACGT")
_CODES = bytes.maketrans(b"ACGT", bytes(range(4)))
UNNAMED = frozenset({"*", "<*>", "<NON_REF>"})
"""ALTs that stand for what a record does not name: reads never show them by themselves."""


def putative_allele(
    start: int, ref: str, alt: str, reference: Callable[[int, int], str], longest: int
) -> PutativeAllele | None:
    """Return what an ALT changes, None where it cannot be looked up in reads.

    That is: an SNV; an MNV, whose bases a read must show all; an insertion or a deletion after its
    anchor; or bases in the place of other bases after an anchor. What is symbolic, has other
    letters than A, C, G and T, is longer than `longest`, or has no base before it on the contig, is
    none of these.

    Parameters
    ----------
    start, ref, alt
        0-based, as a VCF spells them, in any case.
    reference
        `reference(start, end)` returns bases of the contig, upper-case.
    longest
        Most bases that are taken or put.
    """
    ref, alt = ref.upper(), alt.upper()
    if not (_BASES.issuperset(ref) and _BASES.issuperset(alt)):
        return None
    if len(ref) > 1 or len(alt) > 1:
        start, ref, (alt,) = left_align(start, ref, [alt], reference)
    kind, deleted = SUBSTITUTION, len(ref)
    if len(ref) != len(alt):
        kind = INDEL
        if ref[0] == alt[0]:
            deleted, alt = len(ref) - 1, alt[1:]
        else:
            start -= 1
    if start < 0 or max(deleted, len(alt)) > longest:
        return None
    return PutativeAllele(start, kind, deleted, alt.encode().translate(_CODES))
