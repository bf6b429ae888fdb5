"""Alleles against the reference: trimming, left-shifting, splitting into primitives.

These are hap.py's rules (0.3.15): alignment scores of bwa mem (match 1, mismatch -4, gap 6 + 1 a
base), pairs preferred over gaps.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from varcall.scoring.span import Bases

MATCH, MISMATCH, UNKNOWN_BASE = 1, -4, 0
GAP_OPEN, GAP_EXTEND = 6, 1
FAR = -(1 << 28)
TRANSITIONS = frozenset({"AG", "GA", "CT", "TC"})


class Change(NamedTuple):
    """``alt`` in place of the reference in [start, end), 0-based half-open."""

    start: int
    end: int
    alt: str

    @property
    def ref_length(self) -> int:
        """Reference bases replaced."""
        return self.end - self.start

    @property
    def is_substitution(self) -> bool:
        """One base for one base."""
        return self.ref_length == 1 and len(self.alt) == 1


def trim_left(sequence: Bases, change: Change, keep: int) -> Change:
    """Drop bases equal to the reference at the left, but leave ``keep`` on both sides."""
    n, most = 0, min(change.ref_length, len(change.alt)) - keep
    while n < most and sequence[change.start + n] == change.alt[n]:
        n += 1
    return Change(change.start + n, change.end, change.alt[n:]) if n else change


def trim_right(sequence: Bases, change: Change, keep: int) -> Change:
    """Drop bases equal to the reference at the right, but leave ``keep`` on both sides."""
    n, most = 0, min(change.ref_length, len(change.alt)) - keep
    while n < most and sequence[change.end - 1 - n] == change.alt[-1 - n]:
        n += 1
    return Change(change.start, change.end - n, change.alt[: len(change.alt) - n]) if n else change


def left_shift(sequence: Bases, change: Change, limit: int) -> Change:
    """Move an insertion or deletion left, not beyond ``limit`` nor over N; its anchor stays."""
    limit = max(limit, 0)
    change = trim_right(sequence, trim_left(sequence, change, 1), 1)
    start, end, alt = change.start, change.end, change.alt
    if end - start <= 1 and len(alt) > end - start and (end == start or alt[0] == sequence[start]):
        limit += 1
    if sequence[start:end] == alt:
        return change
    while start > limit and start >= 1 and sequence[start - 1] != "N":
        moved = False
        if end > start and alt and sequence[end - 1] == alt[-1]:
            end, alt, moved = end - 1, alt[:-1], True
        if end == start or not alt:
            start, alt, moved = start - 1, sequence[start - 1] + alt, True
        if not moved:
            break
    return trim_right(sequence, trim_left(sequence, Change(start, end, alt), 1), 1)


def _substitution_score(a: str, b: str) -> int:
    if a not in "ACGT" or b not in "ACGT":
        return UNKNOWN_BASE
    return MATCH if a == b else MISMATCH


@lru_cache(maxsize=65536)
def align(ref: str, alt: str) -> str:
    """Best end-to-end alignment as operations M, D (of REF) and I, one a base."""
    width = len(ref)
    scores = [0] + [-(GAP_OPEN + GAP_EXTEND * j) for j in range(1, width + 1)]
    from_above = [FAR] * (width + 1)
    trace: list[list[tuple[int, bool, bool]]] = []
    for i, base in enumerate(alt):
        left = -(GAP_OPEN + GAP_EXTEND * (i + 1))
        in_row = FAR
        row = []
        for j in range(width):
            score, above = scores[j], from_above[j]
            scores[j] = left
            score += _substitution_score(ref[j], base)
            step = 0 if score > above else 1
            score = max(score, above)
            step = step if score > in_row else 2
            score = max(score, in_row)
            left = score
            opened = score - GAP_OPEN - GAP_EXTEND
            above -= GAP_EXTEND
            in_row -= GAP_EXTEND
            row.append((step, above > opened, in_row > opened))
            from_above[j] = max(above, opened)
            in_row = max(in_row, opened)
        scores[width] = left
        trace.append(row)
    return _traced(trace, width)


def _traced(trace: list[list[tuple[int, bool, bool]]], width: int) -> str:
    i, j, which = len(trace) - 1, width - 1, 0
    operations = []
    while i >= 0 and j >= 0:
        step, stays_above, stays_in_row = trace[i][j]
        which = step if which == 0 else (int(stays_above) if which == 1 else 2 * int(stays_in_row))
        operations.append("MID"[which])
        i -= which != 2
        j -= which != 1
    operations.extend("I" * (i + 1) + "D" * (j + 1))
    return "".join(reversed(operations))


def split(sequence: Bases, change: Change) -> list[Change]:
    """Substitutions, insertions and deletions that make up a trimmed allele, from left to right."""
    ref, alt = sequence[change.start : change.end], change.alt
    if len(ref) < 2 or len(alt) < 2:
        operations = (
            "M" * min(len(ref), len(alt))
            + "D" * (len(ref) - len(alt))
            + "I" * (len(alt) - len(ref))
        )
    else:
        operations = align(ref, alt)
    found: list[Change] = []
    i = j = n = 0
    while n < len(operations):
        operation = operations[n]
        if operation == "M":
            if ref[i] != alt[j]:
                found.append(Change(change.start + i, change.start + i + 1, alt[j]))
            i, j, n = i + 1, j + 1, n + 1
            continue
        run = 1
        while n + run < len(operations) and operations[n + run] == operation:
            run += 1
        if operation == "D":
            found.append(Change(change.start + i, change.start + i + run, ""))
            i += run
        else:
            found.append(Change(change.start + i, change.start + i, alt[j : j + run]))
            j += run
        n += run
    return found


@dataclass(frozen=True, slots=True)
class Composition:
    """Substituted, inserted and deleted bases of an allele; transitions and transversions."""

    snps: int
    inserted: int
    deleted: int
    transitions: int
    transversions: int


def composition(sequence: Bases, change: Change) -> Composition:
    """Count the pieces of an allele after trimming it at both ends."""
    change = trim_right(sequence, trim_left(sequence, change, 0), 0)
    pieces = split(sequence, change)
    pairs = [sequence[piece.start] + piece.alt for piece in pieces if piece.is_substitution]
    known = [pair for pair in pairs if set(pair) <= set("ACGT")]
    transitions = sum(pair in TRANSITIONS for pair in known)
    return Composition(
        len(pairs),
        sum(len(piece.alt) for piece in pieces if not piece.is_substitution),
        sum(piece.ref_length for piece in pieces if not piece.is_substitution),
        transitions,
        len(known) - transitions,
    )
