"""What a pileup image means: its size, channels, codes and row order.

The layout follows Med-PaLM M (arXiv 2307.14334, A.1.2): six channels of DeepVariant's pileup are
packed three over three into one RGB-like picture. Here the two panels fill the whole picture.
"""

from dataclasses import asdict, dataclass
from typing import Any

HEIGHT = 224
WIDTH = 224
CHANNELS = 3
PANEL_HEIGHT = 112
CENTRE = 112
REFERENCE_ROWS = 2
ALLELE_ROWS = 2
HEADER_ROWS = REFERENCE_ROWS + ALLELE_ROWS
READ_ROWS = PANEL_HEIGHT - HEADER_ROWS

UPPER_CHANNELS = ("base", "base quality", "mapping quality")
LOWER_CHANNELS = ("strand", "supports the putative allele", "differs from reference")

# Base codes of DeepVariant (pileup_image.py: stride 70, offsets 40 for A and G, 30 for T and C).
BASE_A, BASE_C, BASE_G, BASE_T = 250, 30, 180, 100
BASE_OTHER = 10
MAX_PIXEL = 254
# Caps of DeepVariant: qualities above them look alike (pileup_image.py).
BASE_QUALITY_CAP = 40
MAPQ_CAP = 60
STRAND_FORWARD, STRAND_REVERSE = 70, 240
SUPPORT_PUTATIVE, SUPPORT_OTHER, SUPPORT_REFERENCE, SUPPORT_UNKNOWN = 254, 180, 100, 40
DIFFERS_NOT, DIFFERS_MISMATCH, DIFFERS_DELETION = 50, 254, 120
# An inserted sequence shows on its anchor column: 170 + 4 x min(length, 16).
DIFFERS_INSERTION, DIFFERS_INSERTION_STEP, DIFFERS_INSERTION_CAP = 170, 4, 16


@dataclass(frozen=True, slots=True)
class PileupSpec:
    """The layout a set of weights was trained on; a mismatch with the code is an error.

    Rows 0..111 are the upper panel (base, base quality, mapping quality), rows 112..223 the lower
    panel (strand, supports the putative allele, differs from reference). Each panel begins with
    two rows of the reference and two rows of the putative allele(s) (of the reference with the
    allele in its place). Column 112 is the candidate's start; a column is one reference base.
    Reads follow grouped by the allele they show (putative, other, reference, not informative), by
    start within a group. Where there are more reads than rows, those with the smallest hash of
    (read name, contig position) are drawn.
    """

    version: int = 1
    height: int = HEIGHT
    width: int = WIDTH
    channels: int = CHANNELS
    panels: tuple[tuple[str, ...], ...] = (UPPER_CHANNELS, LOWER_CHANNELS)
    reference_rows: int = REFERENCE_ROWS
    allele_rows: int = ALLELE_ROWS
    row_order: str = "allele,start"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self) | {"panels": [list(panel) for panel in self.panels]}


SPEC = PileupSpec()
