"""From the model's answers about a site to its genotype call.

A site with n ALTs was asked n + n (n - 1) / 2 questions: how many copies of ALT i, and how many
copies of ALT i and ALT j together. Every question speaks of every genotype, because a genotype
fixes the copies of each ALT. The answers are combined by a logarithmic opinion pool,

    log P(genotype) = 1/n * sum over questions of log P(copies that the genotype has) + constant,

the rule that commutes with Bayesian updating (Genest 1984, doi:10.1214/aos/1176346518). The weight
1/n is not tuned: replacing one REF by one ALT changes the answer to exactly n of the questions,
which look at the same reads, so together they count as one. With one ALT the rule returns the
model's answer as it is.

Each answer is first rounded to thousandths of log10. From there on scores are integers: equal
genotypes tie exactly, and ties go to the lower genotype in VCF order, whatever the last bits of
the model's floats were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from varcall.alleles import trim
from varcall.errors import ModelError
from varcall.options import DEFAULT_MIN_QUAL
from varcall.vcf import LOW_QUAL, NO_CALL, PASS, REF_CALL, VariantRecord

_UNITS = 1000  # an answer is kept in units of 1/1000 of log10
_SMALLEST_ANSWER = 1e-30  # float32 softmax reaches 1e-38; PL of one question goes up to 300
MAX_PL = 999  # more than the answers of one question can justify; keeps joint callers' sums small
MAX_GQ = 99  # the field's convention
MAX_QUAL = 999.0
DEFAULT_MIN_HOM_REF_GQ = 20  # DeepVariant 1.9: cnn_homref_call_min_gq


@dataclass(frozen=True, slots=True)
class GenotypeOptions:
    """What decides between the filters.

    Attributes
    ----------
    min_qual
        A variant call with a lower QUAL is filtered as LowQual.
    min_hom_ref_gq
        A hom-ref call with a lower GQ is written as a no-call.
    write_gl
        Write GL beside PL.
    """

    min_qual: float = DEFAULT_MIN_QUAL
    min_hom_ref_gq: int = DEFAULT_MIN_HOM_REF_GQ
    write_gl: bool = False


@dataclass(frozen=True, slots=True)
class SiteEvidence:
    """A candidate site as the reads show it.

    Attributes
    ----------
    contig, start, ref, alts
        The site (0-based start) and all its candidate ALTs against one REF.
    dp
        Reads that cover the site.
    ad, adf, adr
        Reads of REF and of each ALT: all, forward strand, reverse strand.
    """

    contig: str
    start: int
    ref: str
    alts: tuple[str, ...]
    dp: int
    ad: tuple[int, ...]
    adf: tuple[int, ...]
    adr: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GenotypeCall:
    """A genotype over the alleles of a site (0 = REF).

    Attributes
    ----------
    alleles
        The called genotype, ascending; one allele per copy of the contig.
    gq
        phred P(the called genotype is wrong), rounded, at most 99.
    qual
        phred P(hom-ref), one decimal, at most 999.
    gl
        log10 posterior of every genotype in VCF order, under the model's own prior.
    pl
        phred of each genotype relative to the called one; 0 at the called one, at most 999.
    """

    alleles: tuple[int, ...]
    gq: int
    qual: float
    gl: tuple[float, ...]
    pl: tuple[int, ...]


@lru_cache(maxsize=256)
def genotypes(n_alleles: int, ploidy: int) -> tuple[tuple[int, ...], ...]:
    """List all genotypes of `n_alleles` alleles in the order of VCF 1.6.2: 00, 01, 11, 02, ..."""
    if ploidy == 1:
        return tuple((allele,) for allele in range(n_alleles))
    return tuple((low, high) for high in range(n_alleles) for low in range(high + 1))


@lru_cache(maxsize=256)
def _answers_of_genotypes(n_alts: int, ploidy: int) -> tuple[tuple[int, ...], ...]:
    """For each genotype, where in the flattened answers [questions x 3] its copies are found.

    A hemizygous ALT is drawn like a hom-alt one (every read shows it), so one haploid copy is
    read from the answer "2 copies" and "1 copy" is left out.
    """
    questions = [*combinations(range(n_alts), 1), *combinations(range(n_alts), 2)]
    copies_per_allele = 2 // ploidy
    return tuple(
        tuple(
            3 * q + copies_per_allele * sum(allele - 1 in question for allele in genotype)
            for q, question in enumerate(questions)
        )
        for genotype in genotypes(n_alts + 1, ploidy)
    )


def _rounded_answers(
    singles: NDArray[np.floating], pairs: NDArray[np.floating], ploidy: int
) -> list[int]:
    """Log10 of all answers, normalised per question, in whole units of 1/1000; flat."""
    answers: list[int] = []
    for zero, one, two in singles.tolist() + pairs.tolist():
        total = zero + one + two
        if not (abs(total - 1.0) < 0.01 and min(zero, one, two) >= 0.0):
            raise ModelError(
                f"the model answered ({zero}, {one}, {two}), which is no probability: "
                "the weights are damaged or the engine failed; try --engine torch"
            )
        if ploidy == 1:
            one = 0.0
        clipped = [max(answer, _SMALLEST_ANSWER) for answer in (zero, one, two)]
        total = sum(clipped)
        answers += [round(_UNITS * math.log10(answer / total)) for answer in clipped]
    return answers


def _log10_sum(logs: Sequence[float]) -> float:
    highest = max(logs)
    return highest + math.log10(sum(10.0 ** (log - highest) for log in logs))


def call_genotype(
    singles: NDArray[np.floating], pairs: NDArray[np.floating], *, ploidy: int = 2
) -> GenotypeCall:
    """Combine the answers about one site into a genotype call.

    Parameters
    ----------
    singles
        float [n_alts, 3]: P of 0, 1 and 2 copies of each ALT.
    pairs
        float [n_alts (n_alts - 1) / 2, 3]: P of 0, 1 and 2 copies of either ALT of a pair, in the
        order of `itertools.combinations`: (0,1), (0,2), (0,3), (1,2), ...
    ploidy
        1 or 2.

    Raises
    ------
    ModelError
        When an answer is no probability.
    """
    n_alts = len(singles)
    answers = _rounded_answers(singles, pairs, ploidy)
    scores = [
        sum([answers[where] for where in row]) for row in _answers_of_genotypes(n_alts, ploidy)
    ]
    best = max(scores)
    called = scores.index(best)
    unit = _UNITS * n_alts
    relative = [(score - best) / unit for score in scores]
    total = _log10_sum(relative)
    gl = tuple(log - total for log in relative)
    wrong = _log10_sum(gl[:called] + gl[called + 1 :])
    return GenotypeCall(
        alleles=genotypes(n_alts + 1, ploidy)[called],
        gq=min(MAX_GQ, round(-10.0 * wrong)),
        qual=min(MAX_QUAL, round(-10.0 * gl[0], 1) + 0.0),
        gl=gl,
        # integer arithmetic, halves up: 10 * (best - score) / unit
        pl=tuple(min(MAX_PL, (20 * (best - score) + unit) // (2 * unit)) for score in scores),
    )


def _kept_alts(call: GenotypeCall, n_alts: int) -> tuple[int, ...]:
    """Name the ALTs (1-based) to keep: the called ones, or of a hom-ref call the likeliest."""
    called = tuple(sorted({allele for allele in call.alleles if allele}))
    if called or n_alts == 1:
        return called or (1,)
    every = genotypes(n_alts + 1, len(call.alleles))
    carried = [
        _log10_sum([gl for gl, genotype in zip(call.gl, every, strict=True) if alt in genotype])
        for alt in range(1, n_alts + 1)
    ]
    return (carried.index(max(carried)) + 1,)


def _subset(call: GenotypeCall, kept: tuple[int, ...], n_alts: int) -> GenotypeCall:
    """Restrict a call to REF and the `kept` ALTs; GQ and QUAL still count the dropped ones."""
    new_number = {old: new for new, old in enumerate((0, *kept))}
    chosen = [
        index
        for index, genotype in enumerate(genotypes(n_alts + 1, len(call.alleles)))
        if all(allele in new_number for allele in genotype)
    ]
    total = _log10_sum([call.gl[index] for index in chosen])
    return GenotypeCall(
        alleles=tuple(new_number[allele] for allele in call.alleles),
        gq=call.gq,
        qual=call.qual,
        gl=tuple(call.gl[index] - total for index in chosen),
        pl=tuple(call.pl[index] for index in chosen),
    )


def call_site(
    site: SiteEvidence,
    singles: NDArray[np.floating],
    pairs: NDArray[np.floating],
    *,
    ploidy: int = 2,
    options: GenotypeOptions = GenotypeOptions(),
) -> VariantRecord:
    """Call one candidate site and write it as a record.

    ALTs outside the called genotype are dropped (a hom-ref call keeps the likeliest one), PL and
    GL are restricted to what is left, and the alleles are trimmed again; so `start` of the record
    may lie right of the site's, never left of it. GQ and QUAL stay those of all the candidate
    ALTs: a dropped ALT is one of the ways in which the call may be wrong.

    Parameters
    ----------
    site
        Alleles and counts.
    singles, pairs, ploidy
        See `call_genotype`.
    options
        Thresholds of the filters.
    """
    n_alts = len(site.alts)
    call = call_genotype(singles, pairs, ploidy=ploidy)
    kept = _kept_alts(call, n_alts)
    if len(kept) < n_alts:
        call = _subset(call, kept, n_alts)
    start, ref, alts = trim(site.start, site.ref, [site.alts[alt - 1] for alt in kept])
    columns = (0, *kept)
    gt: tuple[int | None, ...] = call.alleles
    gq = call.gq
    if any(call.alleles):
        status = PASS if call.qual >= options.min_qual else LOW_QUAL
    elif site.dp and gq >= options.min_hom_ref_gq:
        status = REF_CALL
    else:
        status = NO_CALL
        gt = (None,) * ploidy
    return VariantRecord(
        contig=site.contig,
        start=start,
        ref=ref,
        alts=alts,
        qual=call.qual,
        filter=status,
        gt=gt,
        gq=gq,
        dp=site.dp,
        ad=tuple([site.ad[column] for column in columns]),
        adf=tuple([site.adf[column] for column in columns]),
        adr=tuple([site.adr[column] for column in columns]),
        pl=call.pl,
        gl=call.gl if options.write_gl else None,
    )
