"""``--decompose``: records split where their alignment to REF has unchanged bases.

As in vcfeval: each ALT is aligned to REF end to end (gap open, gap extension and mismatch 1 each),
and a record is cut at stretches that are reference in all ALTs. MNPs stay whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from varcall.scoring.vcf_records import Record
from varcall.scoring.vcfeval.variants import has_anchor_base

GAP_OPEN = GAP_EXTEND = MISMATCH = 1
FAR = 1 << 28
PER_ALLELE_KEYS = ("AD", "ADF", "ADR")

# A piece: offset in REF, then the text of REF and of each ALT there.
Piece = tuple[int, list[str]]


def _score_matrices(ref: str, alt: str) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """Cost of ending in a deletion, a pair or an insertion, by [bases of REF][bases of ALT]."""
    rows, columns = len(ref) + 1, len(alt) + 1
    deletion = [[FAR] * columns for _ in range(rows)]
    pair = [[FAR] * columns for _ in range(rows)]
    insertion = [[FAR] * columns for _ in range(rows)]
    pair[0][0] = 0
    deletion[0][0] = insertion[0][0] = GAP_OPEN
    for i in range(1, rows):
        deletion[i][0] = GAP_OPEN + i * GAP_EXTEND
    for j in range(1, columns):
        insertion[0][j] = GAP_OPEN + j * GAP_EXTEND
    for i in range(1, rows):
        for j in range(1, columns):
            deletion[i][j] = GAP_EXTEND + min(
                deletion[i - 1][j], pair[i - 1][j] + GAP_OPEN, insertion[i - 1][j] + GAP_OPEN
            )
            pair[i][j] = (ref[i - 1] != alt[j - 1]) * MISMATCH + min(
                deletion[i - 1][j - 1], pair[i - 1][j - 1], insertion[i - 1][j - 1]
            )
            insertion[i][j] = GAP_EXTEND + min(
                deletion[i][j - 1] + GAP_OPEN, pair[i][j - 1] + GAP_OPEN, insertion[i][j - 1]
            )
    return deletion, pair, insertion


def align(ref: str, alt: str) -> str:
    """Operations (= X D I, one a base) of the best alignment; pairs are preferred, then deletions.

    >>> align("ACGT", "ACCT"), align("AACC", "AC")
    ('==X=', '=DD=')
    """
    deletion, pair, insertion = _score_matrices(ref, alt)
    i, j = len(ref), len(alt)
    cost = min(pair[i][j], insertion[i][j], deletion[i][j])
    inside = ""  # the gap that has not reached its opening yet
    operations = []
    while i or j:
        if cost == pair[i][j] and i and not inside:
            operations.append("=" if ref[i - 1] == alt[j - 1] else "X")
            i, j = i - 1, j - 1
            cost = min(pair[i][j], insertion[i][j], deletion[i][j])
            continue
        if (inside == "D" or (cost == deletion[i][j] and inside != "I")) and i:
            operation, i = "D", i - 1
        else:
            operation, j = "I", j - 1
        operations.append(operation)
        before, cost = cost, min(pair[i][j], insertion[i][j], deletion[i][j])
        if before == cost + GAP_OPEN + GAP_EXTEND:
            inside = ""
        else:
            inside = operation
            cost = (deletion if operation == "D" else insertion)[i][j]
    return "".join(reversed(operations))


@dataclass(slots=True)
class _Cutter:
    """Walks along REF and all alignments at once, and cuts where the state changes."""

    ref: str
    alts: list[str]
    operations: list[str]
    steps: list[int]  # next operation of each ALT
    taken: list[int]  # bases of each ALT read so far
    given: list[int]  # bases of each ALT in pieces so far
    pieces: list[Piece]

    @classmethod
    def of(cls, ref: str, alts: list[str]) -> "_Cutter":
        """Align all ALTs to REF."""
        zeros = [0] * len(alts)
        operations = [align(ref, alt) for alt in alts]
        return cls(ref, alts, operations, [*zeros], [*zeros], [*zeros], [])

    def take_insertions(self) -> bool:
        """Read inserted bases of all ALTs; whether there were any."""
        before = list(self.steps)
        for k, operations in enumerate(self.operations):
            while operations[self.steps[k] : self.steps[k] + 1] == "I":
                self.steps[k] += 1
                self.taken[k] += 1
        return self.steps != before

    def take_base(self) -> None:
        """Read the operation of one base of REF in all ALTs."""
        for k, operations in enumerate(self.operations):
            self.taken[k] += operations[self.steps[k]] != "D"
            self.steps[k] += 1

    def is_reference(self) -> bool:
        """Whether the next base is that of REF in all ALTs."""
        return all(
            text[step] == "=" for text, step in zip(self.operations, self.steps, strict=True)
        )

    def cut(self, start: int, end: int) -> None:
        """End a piece that covers [start, end) of REF."""
        texts = [alt[self.given[k] : self.taken[k]] for k, alt in enumerate(self.alts)]
        self.pieces.append((start, [self.ref[start:end], *texts]))
        self.given = list(self.taken)


def _pieces(ref: str, alts: Sequence[str]) -> list[Piece]:
    """Cut REF and all ALTs where the state changes between "reference in all" and not."""
    cutter = _Cutter.of(ref.upper(), [alt.upper() for alt in alts])
    start = position = 0
    was_ref = not cutter.take_insertions()
    while position < len(ref):
        is_ref = cutter.is_reference()
        if is_ref != was_ref:
            if position > 0 or not was_ref:
                cutter.cut(start, position)
            start, was_ref = position, is_ref
        if cutter.take_insertions():
            continue  # look at this base again, now past the insertion
        cutter.take_base()
        if not is_ref:
            cutter.take_insertions()
        position += 1
    cutter.cut(start, len(ref))
    if was_ref and cutter.take_insertions():
        cutter.cut(len(ref), len(ref))
    return cutter.pieces


def _with_anchor(
    record: Record, offset: int, alleles: list[str], pad: int
) -> tuple[int, list[str]]:
    """Start and alleles of a piece.

    Where an allele is empty, a base of REF is put before it (after it at the first base).
    """
    start = record.start + offset
    if all(alleles):
        return start, alleles
    if offset:
        base = record.ref[offset - 1]
        return start - 1, [base + allele for allele in alleles]
    base = record.ref[offset + len(alleles[0]) - pad]
    return start, [allele + base for allele in alleles]


def _sample(text: str, keys: list[str], numbers: dict[int, int], n_alleles: int) -> str:
    """A sample column with its allele numbers changed, and values by allele added up."""
    values = text.split(":")
    for i, key in enumerate(keys[: len(values)]):
        if key == "GT":
            separator = "|" if "|" in values[i] else "/"
            parts = values[i].replace("|", "/").split("/")
            values[i] = separator.join(
                part if part == "." else str(numbers[int(part)]) for part in parts
            )
        elif (
            key in PER_ALLELE_KEYS
            and values[i].count(",") + 1 == len(numbers)
            and "." not in values[i]
        ):
            sums = [0] * n_alleles
            for old, value in enumerate(values[i].split(",")):
                sums[numbers[old]] += int(value)
            values[i] = ",".join(map(str, sums))
    return ":".join(values)


def _piece_record(record: Record, start: int, alleles: list[str]) -> Record:
    """The record of one piece: ALTs that became equal are joined, genotypes follow."""
    ref, alts, numbers = alleles[0], list[str](), {0: 0}
    for old, allele in enumerate(alleles[1:], 1):
        if allele != ref and allele not in alts:
            alts.append(allele)
        numbers[old] = 0 if allele == ref else alts.index(allele) + 1
    fields = list(record.fields)
    fields[1], fields[3], fields[4] = str(start + 1), ref, ",".join(alts) or "."
    origin = f"ORP={record.start + 1};ORL={len(record.ref)}"
    fields[7] = origin if fields[7] == "." else f"{fields[7]};{origin}"
    if len(fields) > 9:
        keys = fields[8].split(":")
        fields[9:] = [_sample(text, keys, numbers, len(alts) + 1) for text in fields[9:]]
    genotype = record.genotype
    if genotype is not None:
        genotype = tuple(numbers[i] if i >= 0 else i for i in genotype)
    return Record(start, ref, tuple(alts), genotype, tuple(fields))


def decompose_record(record: Record) -> list[Record]:
    """The pieces of one record; the record itself where there is nothing to split."""
    if not record.alts or any(set(text) - set("ACGTacgt") for text in (record.ref, *record.alts)):
        return [record]
    pad = 1 if has_anchor_base(record) else 0
    pieces = _pieces(record.ref[pad:], [alt[pad:] for alt in record.alts])
    pieces = [piece for piece in pieces if any(allele != piece[1][0] for allele in piece[1][1:])]
    if not pieces:
        return [record]
    whole = len(pieces) == 1 and len(pieces[0][1][0]) == len(record.ref) - pad
    if whole and (pad == 0 or not all(pieces[0][1])):
        return [record]
    return [
        _piece_record(record, *_with_anchor(record, offset + pad, alleles, pad))
        for offset, alleles in pieces
    ]


def decompose_records(records: Sequence[Record]) -> list[Record]:
    """Split all records of a contig; the pieces are sorted by position, then ALT, then REF."""
    pieces = [piece for record in records for piece in decompose_record(record)]
    return sorted(pieces, key=lambda piece: (piece.start, piece.alts, piece.ref, piece.fields))
