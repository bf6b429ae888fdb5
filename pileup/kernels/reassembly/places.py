"""Where the mapper put the bases of a read."""

from pileup.accelerate import part
from pileup.kernels.reassembly.align import CLIPPED, INSERTED
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CSOFT_CLIP


@part
def fill_places(read, reads, places):
    """Fill the places of a read's bases from its CIGAR."""
    position = reads.read_start[read]
    query = reads.base_offset[read]
    for at in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
        op = reads.cigar_op[at]
        size = reads.cigar_length[at]
        if op == CMATCH or op == CEQUAL or op == CDIFF:
            for step in range(size):
                places[query + step] = position + step
            position += size
            query += size
        elif op == CDEL:
            position += size
        elif op == CINS or op == CSOFT_CLIP:
            for filled in range(query, query + size):
                places[filled] = INSERTED if op == CINS else CLIPPED
            query += size
