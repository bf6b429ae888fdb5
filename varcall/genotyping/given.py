"""The record of a site that the user gave: its own spelling, whatever the reads show there.

Its ALTs may lie in several sites of the evidence: those that reads suggest, which are genotyped as
in any call, with all the alleles that reads show there, and one for each ALT that they do not
suggest. Each site answers for itself, so a genotype over all their alleles is as unlikely as its
parts are together. A copy whose allele the record does not name is `.` in GT, or `*` or `<*>` where
the record has one of these.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from varcall.genotyping.genotype import (
    MAX_GQ,
    MAX_PL,
    MAX_QUAL,
    GenotypeCall,
    GenotypeOptions,
    SiteEvidence,
    genotypes,
    phase_of,
    status_of,
)
from varcall.genotyping.phase_votes import Vote
from varcall.inputs.given_sites import GivenRecord
from varcall.output.record import NO_CALL, VariantRecord

Numbers = tuple[int | None, ...]
"""Alleles by their number in the record; None for one that it does not name."""


class Part(NamedTuple):
    """A site of the evidence that has some of a record's ALTs.

    Attributes
    ----------
    shows, call
        What reads show there, and its call over all its alleles.
    named
        The number in the record of each ALT of the site.
    kind
        Sites of an equal one have the same REF reads.
    vote
        Tells what fragments show there, to phase the record by; None where it is not wanted.
    """

    shows: SiteEvidence
    call: GenotypeCall
    named: Numbers
    kind: tuple[int, ...]
    vote: Vote | None = None


class _Joined(NamedTuple):
    """The genotypes over the alleles of all parts in VCF order, and which of them is called.

    `pl` int64 [n], `probabilities` float64 [n].
    """

    called: tuple[int, ...]
    genotypes: Sequence[tuple[int, ...]]
    pl: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    gq: int


def given_record(
    given: GivenRecord, parts: Sequence[Part], rest: int | None, options: GenotypeOptions
) -> VariantRecord:
    """Return the record of a given site from the sites of the evidence that have its ALTs.

    Parameters
    ----------
    parts
        One at least.
    rest
        The number of the ALT that stands for all that the record does not name, if it has one.
    """
    joined = _joined(parts)
    numbers = (0, *(number or rest for part in parts for number in part.named))
    phase = phase_of(parts[0].shows, parts[0].call) if len(parts) == 1 else None
    copies = phase or tuple(sorted(joined.called, key=lambda allele: _rank(numbers[allele])))
    gt = tuple([numbers[allele] for allele in copies])
    qual = _qual(parts, joined, numbers)
    dp = max(part.shows.dp for part in parts)
    status, gt = status_of(gt, qual, joined.gq, dp, options)
    pl = _pl_of_named(joined, numbers, len(given.alts))
    shares = 10.0 ** (-pl / 10.0)
    ad, adf, adr = (
        _counts(parts, numbers, len(given.alts), column)
        for column in (lambda s: s.ad, lambda s: s.adf, lambda s: s.adr)
    )
    record = VariantRecord(
        contig=given.contig,
        start=given.start,
        ref=given.ref,
        alts=given.alts,
        qual=qual,
        filter=status,
        gt=gt,
        gq=joined.gq,
        dp=dp,
        ad=ad,
        adf=adf,
        adr=adr,
        pl=tuple(pl.tolist()),
        gl=tuple(np.log10(shares / shares.sum()).tolist()) if options.write_gl else None,
        phase_set=None if phase is None else parts[0].shows.phase_set,
        name=given.name,
        is_given=True,
    )
    return record._replace(votes=_votes(record, parts, copies))


def _rank(number: int | None) -> int:
    return -1 if number is None else number


def _votes(record: VariantRecord, parts: Sequence[Part], copies: tuple[int, ...]) -> str | None:
    """Return what fragments show at the first part in which the copies differ.

    `copies` are the alleles of GT, in its order.
    """
    first = 1
    for part in parts:
        inside = range(first, first + len(part.named))
        own = _own_alleles(copies, inside)
        if part.vote is not None and len({*own}) == 2:
            return part.vote(record, own)
        first = inside.stop
    return None


def silent_record(
    given: GivenRecord, ploidy: int, dp: int, options: GenotypeOptions, *, is_asked: bool
) -> VariantRecord:
    """Return the record of a given site that nothing is known of: no read lies there.

    Parameters
    ----------
    dp
        Fragments that cover POS.
    is_asked
        False where the record has an ALT that reads cannot be asked for: its counts are missing.
    """
    alleles = 1 + len(given.alts)
    zeros = (0,) * alleles if is_asked else ()
    equal = (0,) * len(genotypes(alleles, ploidy)) if is_asked else ()
    return VariantRecord(
        contig=given.contig,
        start=given.start,
        ref=given.ref,
        alts=given.alts,
        qual=0.0,
        filter=NO_CALL,
        gt=(None,) * ploidy,
        gq=0,
        dp=dp,
        ad=zeros,
        adf=zeros,
        adr=zeros,
        pl=equal,
        gl=(float(-np.log10(max(1, len(equal)))),) * len(equal) if options.write_gl else None,
        name=given.name,
        is_given=True,
    )


def _joined(parts: Sequence[Part]) -> _Joined:
    """Put the calls of independent sites together, on whole PLs: ties are the same everywhere."""
    ploidy = len(parts[0].call.alleles)
    every = genotypes(1 + sum(len(part.named) for part in parts), ploidy)
    if len(parts) == 1:
        call = parts[0].call
        return _Joined(call.alleles, every, np.array(call.pl), 10.0 ** np.array(call.gl), call.gq)
    total = np.zeros(len(every), np.int64)
    first = 1
    for part in parts:
        own = {
            genotype: pl
            for genotype, pl in zip(
                genotypes(1 + len(part.named), ploidy), part.call.pl, strict=True
            )
        }
        inside = range(first, first + len(part.named))
        total += [own[tuple(sorted(_own_alleles(genotype, inside)))] for genotype in every]
        first = inside.stop
    total = np.minimum(total - total.min(), MAX_PL)
    shares = 10.0 ** (-total / 10.0)
    shares /= shares.sum()
    called = int(total.argmin())
    gq = min(MAX_GQ, round(_phred(float(np.delete(shares, called).sum()))))
    return _Joined(every[called], every, total, shares, gq)


def _own_alleles(genotype: tuple[int, ...], inside: range) -> tuple[int, ...]:
    """Return a genotype with the alleles of one part only; the others are REF there."""
    return tuple([a - inside.start + 1 if a in inside else 0 for a in genotype])


def _phred(probability: float) -> float:
    return float(-10.0 * np.log10(probability)) if probability > 0 else MAX_QUAL


def _qual(parts: Sequence[Part], joined: _Joined, numbers: Numbers) -> float:
    """Return phred P(no copy has an ALT of the record)."""
    without = [not any(numbers[allele] for allele in one) for one in joined.genotypes]
    if len(parts) == 1 and sum(without) == 1:
        return parts[0].call.qual
    qual = _phred(float(joined.probabilities[without].sum()))
    return min(MAX_QUAL, round(qual, 1) + 0.0)


def _pl_of_named(joined: _Joined, numbers: Numbers, n_alts: int) -> NDArray[np.int64]:
    """Return the PL of the record's genotypes, each that of the likeliest one that it stands for.

    Where none of them is called, the likeliest has 0 all the same.
    """
    place = {one: index for index, one in enumerate(genotypes(1 + n_alts, len(joined.called)))}
    pl = np.full(len(place), MAX_PL, np.int64)
    for genotype, own in zip(joined.genotypes, joined.pl.tolist(), strict=True):
        named = [numbers[allele] for allele in genotype]
        if None not in named:
            index = place[tuple(sorted(number or 0 for number in named))]
            pl[index] = min(pl[index], own)
    return np.asarray(pl - pl.min())


def _counts(
    parts: Sequence[Part],
    numbers: Numbers,
    n_alts: int,
    column: Callable[[SiteEvidence], tuple[int, ...]],
) -> tuple[int, ...]:
    """Return the reads of each allele of the record.

    REF reads of an SNV may show an insertion after it: what sites of another kind count as ALT is
    no REF read of the record.
    """
    counts = [0] * (1 + n_alts)
    of_alts = [count for part in parts for count in column(part.shows)[1:]]
    for number, count in zip(numbers[1:], of_alts, strict=True):
        if number is not None:
            counts[number] += count
    left = [
        column(part.shows)[0]
        - sum(sum(column(other.shows)[1:]) for other in parts if other.kind != part.kind)
        for part in parts
    ]
    counts[0] = max(0, min(left))
    return tuple(counts)
