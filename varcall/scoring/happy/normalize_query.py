"""hap.py's preparation of the query: alleles split into primitives, shifted, joined again.

Half calls become heterozygous, haploid calls too unless they are to count as homozygous, and
filters and QUAL go with every piece.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from varcall.scoring.happy.primitives import Change, left_shift, split, trim_left, trim_right
from varcall.scoring.span import Bases
from varcall.scoring.vcf_records import Record

SHIFT_LIMIT = 1024  # hap.py never shifts further
BASES = frozenset("ACGTURYKMSWBDHVNX")
SPANNING = ("*", "<NON_REF>")
_END = re.compile(r"(?:^|;)END=(\d+)")
# Few texts make up most of the columns of a file: what they say is kept.
_KEPT = 1 << 14


class _Call(NamedTuple):
    """A genotype over its own alleles; ``start`` is where the record stands."""

    start: int
    changes: tuple[Change, ...]
    genotype: tuple[int, int]
    source: Record

    @property
    def is_het(self) -> bool:
        return 0 in self.genotype

    def rank(self) -> tuple[int, int, int, int, str]:
        """Position, then substitutions before deletions before insertions, then size and bases."""
        if len(self.changes) == 1:
            (change,) = self.changes
            kind = 4 if change.is_substitution else 1 if not change.ref_length and change.alt else 2
            return self.start, -kind, change.ref_length, len(change.alt), change.alt
        kinds = 0
        for change in self.changes:
            kinds |= (
                4 if change.is_substitution else 1 if change.ref_length == 0 and change.alt else 2
            )
        longest = max((change.ref_length for change in self.changes), default=0)
        alt = max((len(change.alt) for change in self.changes), default=0)
        return (
            self.start,
            -kinds,
            longest,
            alt,
            ";".join(sorted(change.alt for change in self.changes)),
        )


def _in_order(calls: Iterable[_Call]) -> list[_Call]:
    """Sort calls by their ranks, which begin with the start: the rest counts where starts agree."""
    ordered: list[_Call] = []
    for _, group in groupby(sorted(calls, key=itemgetter(0)), itemgetter(0)):
        same = list(group)
        ordered += same if len(same) == 1 else sorted(same, key=_Call.rank)
    return ordered


@lru_cache(maxsize=_KEPT)
def _spelled(alts: tuple[str, ...]) -> tuple[str | None, ...]:
    """Bases of ALTs; None for '*', for what cannot be read, and for all that follow it."""
    found: list[str | None] = []
    is_readable = True
    for alt in alts:
        text = alt.upper()
        is_readable = is_readable and (text in (*SPANNING, "<DEL>") or BASES.issuperset(text))
        if text in SPANNING or not is_readable:
            found.append(None)
        else:
            found.append("" if text == "<DEL>" else text)
    return tuple(found)


def _single_alleles(record: Record, *, double_haploid: bool) -> list[_Call]:
    """One call for each called allele: homozygous when both are it, otherwise heterozygous."""
    start, ref, alts, genotype, fields = record
    if genotype is None or len(genotype) > 2:
        return []
    match = _END.search(fields[7]) if "END=" in fields[7] else None
    end = int(match[1]) if match else start + len(ref)
    spelled = _spelled(alts)
    if double_haploid and len(genotype) == 1:
        genotype = genotype * 2
    called = [spelled[i - 1] for i in genotype if i > 0]
    if len(genotype) == 2 and genotype[0] == genotype[1] and called and called[0] is not None:
        return [_Call(start, (Change(start, end, called[0]),), (1, 1), record)]
    return [
        _Call(start, (Change(start, end, alt),), (0, 1), record)
        for alt in called
        if alt is not None
    ]


def _primitives(sequence: Bases, call: _Call) -> list[_Call]:
    """Split a call whose allele is no single substitution, insertion or deletion."""
    if call.changes[0].is_substitution:
        return [call]
    change = trim_right(sequence, trim_left(sequence, call.changes[0], 0), 0)
    if not (
        (change.ref_length >= 1 and len(change.alt) > 1) or (change.ref_length > 1 and change.alt)
    ):
        return [call]
    genotype = (1, 0) if call.is_het else (1, 1)
    found = []
    for piece in split(sequence, change):
        start = piece.start - 1 if piece.ref_length == 0 else piece.start
        found.append(_Call(start, (piece,), genotype, call.source))
    return found


def _shifted(sequence: Bases, calls: Iterable[_Call]) -> list[_Call]:
    """Left-shift each call, but not into the one before it."""
    found = []
    furthest = -1
    for call in calls:
        change = call.changes[0]
        if change.is_substitution:
            furthest = max(furthest, call.start)
            found.append(call)
            continue
        change = left_shift(sequence, change, max(call.start - SHIFT_LIMIT, furthest))
        change = trim_right(sequence, trim_left(sequence, change, 1), 1)
        start, length = change.start, change.ref_length
        if length == 0:
            start, length = max(start - 1, 0), 1
        furthest = max(furthest, start + length - 1)
        found.append(call._replace(start=start, changes=(change,)))
    return found


def _can_join(a: _Call, b: _Call) -> bool:
    def kinds(call: _Call) -> set[bool]:
        return {call.changes[i - 1].is_substitution for i in call.genotype if i > 0}

    return (
        a.start == b.start
        and a.is_het
        and b.is_het
        and len(kinds(a) | kinds(b)) == 1
        and set(a.source.fields[6].split(";")) - {"."} == set(b.source.fields[6].split(";")) - {"."}
    )


def _joined(calls: Iterable[_Call]) -> list[_Call]:
    """Make two heterozygous calls of one kind and position one genotype.

    Equal alleles make it homozygous.
    """
    found: list[_Call] = []
    for call in calls:
        if not found or not _can_join(found[-1], call):
            found.append(call)
            continue
        back = found[-1]
        changes: tuple[Change, ...] = (back.changes[0], call.changes[0])
        # the new allele takes the last place that has REF
        genotype = (back.genotype[0], 2) if back.genotype[1] == 0 else (2, back.genotype[1])
        if changes[0] == changes[1]:
            changes, genotype = changes[:1], (1, 1)
        source = max(back.source, call.source, key=lambda record: _qual(record.fields[5]))
        start = min(back.start, *(change.start for change in changes))
        found[-1] = _Call(start, changes, genotype, source)
    return found


@lru_cache(maxsize=_KEPT)
def _qual(column: str) -> float:
    """QUAL, 0 where it is missing."""
    return 0.0 if column == "." else float(column)


def _span(call: _Call) -> tuple[int, int]:
    """First and last base that a call replaces, or the base before an insertion."""
    if len(call.changes) == 1:
        start, end, _ = call.changes[0]
        return (start, end - 1) if start < end else (end - 1, end - 1)
    first = min(min(change.start, change.end - 1) for change in call.changes)
    return first, max(change.end - 1 for change in call.changes)


def _padded(sequence: Bases, call: _Call) -> _Call:
    """Give a whole deletion the base before it."""
    first, last = _span(call)
    if first < 1:
        return call
    if all(change.alt for change in call.changes):
        return call if first == call.start else call._replace(start=first)
    changes = []
    for change in call.changes:
        if change.start == first and change.ref_length == last - first + 1 and not change.alt:
            change = Change(change.start - 1, change.end, sequence[change.start - 1])
        changes.append(change)
    return call._replace(
        start=min(first, *(change.start for change in changes)), changes=tuple(changes)
    )


def _record(sequence: Bases, contig: str, call: _Call) -> Record:
    """Spell a call as a VCF record."""
    first, last = _span(call)
    first = max(first, 0)
    ref = sequence[first : last + 1]
    alts = tuple(
        ref[: start - first] + alt + ref[end - first :] or "<DEL>"
        for start, end, alt in call.changes
    )
    source = call.source.fields
    fields = (
        contig,
        str(first + 1),
        ".",
        ref,
        ",".join(alts),
        str(_qual(source[5])),
        source[6],
        ".",
        "GT",
        "{}/{}".format(*call.genotype),
    )
    return Record(first, ref, alts, call.genotype, fields)


def normalize_contig(
    sequence: Bases, contig: str, records: Sequence[Record], *, double_haploid: bool
) -> list[Record]:
    """hap.py's query records of one contig, sorted.

    Parameters
    ----------
    sequence
        The upper-case contig.
    double_haploid
        Haploid calls become homozygous, as hap.py has them on X and Y where the truth's X is
        haploid; otherwise they become heterozygous.
    """
    calls = [
        call
        for record in records
        for call in _single_alleles(record, double_haploid=double_haploid)
    ]
    calls = [call for call in calls if call.changes[0].end <= len(sequence)]
    calls.sort(key=lambda call: (call.changes[0].start, -call.changes[0].end, call.changes[0].alt))
    pieces = _in_order(piece for call in calls for piece in _primitives(sequence, call))
    joined = _joined(_in_order(_shifted(sequence, pieces)))
    padded = _in_order(_padded(sequence, call) for call in joined)
    spelled = [_record(sequence, contig, call) for call in padded]
    # a REF that is not the reference's can leave an ALT that is: nothing to compare
    return [record for record in spelled if record.ref not in record.alts]
