"""What a pileup image means: its size, panels, channels, codes and row order.

Med-PaLM M (arXiv 2307.14334, A.1.2) packs six channels of DeepVariant's pileup three over three
into one RGB-like picture. Here three panels, nine channels, stand below a header and fill it.
"""

from dataclasses import asdict, dataclass
from typing import Any

HEIGHT = 224
WIDTH = 224
CHANNELS = 3
CENTRE = 112
REFERENCE_ROWS = 4
ALLELE_ROWS = 4
HEADER_ROWS = REFERENCE_ROWS + ALLELE_ROWS
READ_ROWS = 72

HEADER_CHANNELS = ("base", "base of the candidate", "inside the repeat")
PANELS = (
    ("base", "base quality", "mapping quality"),
    ("strand", "supports the putative allele", "differs from reference"),
    ("haplotype", "pairing", "divergence"),
)
BASES_PANEL, ALLELES_PANEL, READS_PANEL = range(len(PANELS))

# Base codes of DeepVariant (pileup_image.py: stride 70, offsets 40 for A and G, 30 for T and C).
BASE_A, BASE_C, BASE_G, BASE_T = 250, 30, 180, 100
BASE_OTHER = 10
MAX_PIXEL = 254
# Of the header: bases that the putative allele takes from the reference or puts there, and columns
# of the stretch over which an indel can be shifted.
HEADER_NO, HEADER_YES = 50, 254
# Caps of DeepVariant: qualities above them look alike (pileup_image.py).
BASE_QUALITY_CAP = 40
MAPQ_CAP = 60
# A quality that SAM says is not known (255 in BAM) looks like neither a good nor a bad one: about
# the middle of what sequencers and mappers give.
ABSENT_QUALITY = 255
NEUTRAL_BASE_QUALITY, NEUTRAL_MAPQ = 25, 40
STRAND_FORWARD, STRAND_REVERSE = 70, 240
SUPPORT_PUTATIVE, SUPPORT_OTHER, SUPPORT_REFERENCE, SUPPORT_UNKNOWN = 254, 180, 100, 40
DIFFERS_NOT, DIFFERS_MISMATCH, DIFFERS_DELETION = 50, 254, 120
# An inserted sequence shows on its anchor column: 170 + 4 x min(length, 16).
DIFFERS_INSERTION, DIFFERS_INSERTION_STEP, DIFFERS_INSERTION_CAP = 170, 4, 16
# DeepVariant's are 0, 127 and 254; a pixel of a read is never 0 here, which is no read.
HAPLOTYPE_UNKNOWN, HAPLOTYPE_FIRST, HAPLOTYPE_SECOND = 40, 147, 254
PAIRING_NONE, PAIRING_PROPER, PAIRING_IMPROPER = 40, 147, 254
# Stand in place of pairing where a question names a second variant: what the read's fragment shows
# of it. No pixel is one of pairing's, so that the picture itself says which it tells.
SECOND_UNKNOWN, SECOND_NO, SECOND_YES = 20, 100, 220
# 30, 48, ... 246, by half octaves of 1 + ratio, the read's differences a base over the library's:
# the ratio is below 0.41, from there below 1, 1.8, 3, 4.7, 7, 10, 15, 22, 31, 44, 63, or above.
DIVERGENCE_LEAST, DIVERGENCE_STEP, DIVERGENCE_STEPS = 30, 18, 12
# A library's own divergence is taken to be no less: one difference in a read of 150 bases must not
# look like the most.
LEAST_DIVERGENCE = 0.001


def panel_top(panel: int) -> int:
    """Return the first row of a panel."""
    return HEADER_ROWS + panel * READ_ROWS


@dataclass(frozen=True, slots=True)
class PileupSpec:
    """The layout a set of weights was trained on; a mismatch with the code is an error.

    Rows 0..7 are the header: four rows of the reference, then four of the putative allele (of the
    reference with the allele in its place), two of each where two alleles are asked about. Its
    channels are the base, whether the base is one that the allele takes away or puts there, and
    whether it is inside the repeat over which the candidate can be shifted. Below stand three
    panels of 72 rows, a row a read, the same read in the same row of each: (base, base quality,
    mapping quality), (strand, supports the putative allele, differs from reference), (haplotype,
    pairing, divergence). Column 112 is the candidate's start; a column is one reference base.

    Reads follow in the order of their haplotypes (first, second, not known), within one by the
    allele they show (putative, other, reference, not informative), then by start. Where there are
    more reads than rows, those with the smallest hash of (read name, contig position) are drawn.
    Pairing tells improper pairs from proper ones in libraries whose pairs are mostly proper only.
    Where a question names a second variant, the channel of pairing tells instead whether the read
    or its mate shows that one, wherever its site is, and reads with the same haplotype and allele
    stand in the order of it (yes, no, not known) before that of their starts.
    Divergence is the read's mismatches, indels and clipped bases beyond the putative allele, by its
    aligned bases, over what is usual in the library.
    """

    version: int = 3
    height: int = HEIGHT
    width: int = WIDTH
    channels: int = CHANNELS
    header: tuple[str, ...] = HEADER_CHANNELS
    panels: tuple[tuple[str, ...], ...] = PANELS
    reference_rows: int = REFERENCE_ROWS
    allele_rows: int = ALLELE_ROWS
    row_order: str = "haplotype,allele,start"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self) | {
            "header": list(self.header),
            "panels": [list(panel) for panel in self.panels],
        }


SPEC = PileupSpec()
