"""What VCF text may hold, and how a file of it may be kept: rules that every reader shares."""

import re
from pathlib import Path

from varcall.errors import InputError
from varcall.formats.bgzf import GZIP_MAGIC, BgzfFile, is_bgzf

FIXED_COLUMNS = 8
COLUMN_NAMES = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
SORT_HINT = "sort the file with 'bcftools sort'"
BCF_MAGIC = b"BCF"

# Ten digits hold the largest position of any index (2^31 - 1); Python's digits are more than these.
POSITION = re.compile(r"[0-9]{1,10}")
REF_BASES = re.compile(r"[ACGTNRYSWKMBDHVacgtnryswkmbdhv]+")
# bases and '*', symbolic alleles, breakends (paired, single, and with an inserted contig)
ALT_ALLELE = re.compile(
    r"[ACGTNRYSWKMBDHVacgtnryswkmbdhv*]+|<[^<>\s]+>|.*[\[\]].*"
    r"|\.[ACGTNacgtn]+|[ACGTNacgtn]+\.|[ACGTNacgtn]+<[^<>\s]+>"
)


def start_of_vcf(path: Path, label: str) -> bytes:
    """Return the first bytes of a VCF or BCF as the file has them, after checks of its whole.

    Parameters
    ----------
    label
        What the file is to the user, for messages.

    Raises
    ------
    InputError
        It cannot be read, is empty, plain gzip, or BGZF that was cut.
    """
    try:
        with BgzfFile(path) as file:
            has_eof_block = file.has_eof_block
        with path.open("rb") as handle:
            start = handle.read(len(BCF_MAGIC))
    except OSError as error:
        raise InputError(
            f"cannot read the {label} file {path}: {error.strerror or error}"
        ) from error
    if not start:
        raise InputError(f"the {label} file {path} is empty: a VCF file starts with ##fileformat")
    if start[:2] != GZIP_MAGIC:
        return start
    if not is_bgzf(path):
        raise InputError(
            f"the {label} file {path} is plain gzip, not BGZF: recompress it with 'gunzip' "
            "and 'bgzip'"
        )
    if not has_eof_block:
        raise InputError(
            f"the {label} file {path} has no BGZF end block, so it was cut: copy or write it again"
        )
    return start


def index_of(path: Path, label: str) -> Path:
    """Return the index beside a BGZF file.

    Raises
    ------
    InputError
        There is none.
    """
    for suffix in (".tbi", ".csi"):
        index = Path(f"{path}{suffix}")
        if index.exists():
            return index
    raise InputError(
        f"the {label} file {path} has no index: run 'tabix -p vcf {path}' (the file must be sorted)"
    )
