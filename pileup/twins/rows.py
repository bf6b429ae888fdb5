"""Twin of kernels.hom_ref.rows: reference blocks as lines."""

from collections.abc import Sequence

from pileup.twins.runs import Block


def write(block: Block, pieces: Sequence[str]) -> str:
    """Return the line of a block; `pieces` are what stands between the numbers."""
    genotype = pieces[4 + 2 * (block.ploidy - 1) + (block.gq > 0)]
    likelihoods = ",".join(map(str, block.pl))
    return (
        f"{pieces[0]}{block.start + 1}{pieces[1]}{'ACGTN'[block.base]}{pieces[2]}{block.end}"
        f"{pieces[3]}{genotype}{block.gq}:{block.min_dp}:{likelihoods}\n"
    )
