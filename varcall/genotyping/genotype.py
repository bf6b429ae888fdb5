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

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.inference.rounding import SMALLEST
from varcall.evidence.alleles import trim
from varcall.options import DEFAULT_MIN_QUAL
from varcall.output.record import LOW_QUAL, NO_CALL, PASS, REF_CALL, VariantRecord

_UNITS = 1000  # an answer is kept in units of 1/1000 of log10
SPANNED = "*"  # the allele of a haplotype that has POS deleted (VCF 4.3, 1.6.1.5)
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


# Named tuples where one is made for every site: a frozen dataclass takes twice the time to make.
class SiteEvidence(NamedTuple):
    """A candidate site as the reads show it.

    Attributes
    ----------
    contig, start, ref, alts
        The site (0-based start) and all its candidate ALTs against one REF; `*` only as the last.
    dp
        Fragments that cover POS (`varcall.evidence.observations.count_covering`).
    ad, adf, adr
        Reads of REF and of each ALT: all, forward strand, reverse strand.
    phase, phase_set
        The allele on each haplotype, and the 0-based start of the first site it is phased with;
        None where that is not known.
    """

    contig: str
    start: int
    ref: str
    alts: tuple[str, ...]
    dp: int
    ad: tuple[int, ...]
    adf: tuple[int, ...]
    adr: tuple[int, ...]
    phase: tuple[int, ...] | None = None
    phase_set: int | None = None


class GenotypeCall(NamedTuple):
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
def _answers_of_genotypes(n_alts: int, ploidy: int) -> NDArray[np.int64]:
    """For each genotype, where in the flattened answers [questions x 3] its copies are found.

    A hemizygous ALT is drawn like a hom-alt one (every read shows it), so one haploid copy is
    read from the answer "2 copies" and "1 copy" is left out (`haploid_answers`).
    """
    questions = [*combinations(range(n_alts), 1), *combinations(range(n_alts), 2)]
    copies_per_allele = 2 // ploidy
    return np.array(
        [
            [
                3 * q + copies_per_allele * sum(allele - 1 in question for allele in genotype)
                for q, question in enumerate(questions)
            ]
            for genotype in genotypes(n_alts + 1, ploidy)
        ]
    )


def _rounded_answers(answers: NDArray[np.floating], ploidy: int) -> NDArray[np.int64]:
    """Log10 of answers [sites, questions, 3], normalised per question, in units of 1/1000."""
    likelihoods = answers.astype(np.float64)
    if ploidy == 1:
        likelihoods[:, :, 1] = 0.0
    likelihoods = np.maximum(likelihoods, SMALLEST)
    zero, one, two = np.moveaxis(likelihoods, 2, 0)
    shares = likelihoods / (zero + one + two)[:, :, None]
    return np.asarray(np.rint(_UNITS * np.log10(shares)), np.int64)


def haploid_answers(
    answers: NDArray[np.floating], likelihoods: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return what answers say of a haploid, float64 [questions, 3]: P(1 copy) is 0.

    One copy of two is what a haploid cannot have; the model answers it where few of several reads
    differ from the others. What it gave to that answer is shared by the other two: by the
    logarithmic pool, with equal weights, of what the model and what the counts say of these two.
    So an answer that is sure of 0 or 2 copies stays; where the model leaves both as good as
    impossible the counts decide, with half of their odds, since they fit neither.

    Parameters
    ----------
    answers
        float [questions, 3], P of 0, 1 and 2 copies.
    likelihoods
        float [questions, 3], their natural log likelihoods by counts
        (`varcall.evidence.likelihood`).
    """
    ends = answers[:, [0, 2]].astype(np.float64)
    pooled = (np.log(np.maximum(ends, SMALLEST)) + likelihoods[:, [0, 2]]) / 2
    shares = np.exp(pooled - pooled.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    result = np.zeros((len(answers), 3))
    result[:, [0, 2]] = ends + answers[:, 1:2] * shares
    total: NDArray[np.float64] = result.sum(axis=1, keepdims=True)
    return np.asarray(result / total)


def _log10_sum(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log10 of the sum of each row's numbers, float64 [sites], from their log10 [sites, n]."""
    highest = logs.max(axis=1)
    # Column by column: the order of NumPy's own sum, and so its last bit, depends on the rows.
    total = sum((10.0 ** (logs - highest[:, None])).T)
    return np.asarray(highest + np.log10(total))


def call_genotypes(
    answers: NDArray[np.floating], n_alts: int, *, ploidy: int = 2
) -> list[GenotypeCall]:
    """Combine the answers about sites of equally many ALTs into genotype calls.

    Parameters
    ----------
    answers
        float [sites, questions, 3]: P of 0, 1 and 2 copies. The questions are those about each
        ALT, then those about either ALT of a pair, in the order of `itertools.combinations`:
        (0,1), (0,2), (0,3), (1,2), ...
    n_alts
        ALTs of each site.
    ploidy
        1 or 2.
    """
    where = _answers_of_genotypes(n_alts, ploidy)
    scores = _rounded_answers(answers, ploidy).reshape(len(answers), -1)[:, where].sum(axis=2)
    called = scores.argmax(axis=1)
    below = scores.max(axis=1)[:, None] - scores
    unit = _UNITS * n_alts
    gl = -below / unit
    gl -= _log10_sum(gl)[:, None]
    others = gl.copy()
    others[np.arange(len(gl)), called] = -np.inf
    gq = np.minimum(MAX_GQ, np.rint(-10.0 * _log10_sum(others))).astype(np.int64)
    qual = np.minimum(MAX_QUAL, np.round(-10.0 * gl[:, 0], 1) + 0.0)
    # integer arithmetic, halves up: 10 * below / unit
    pl = np.minimum(MAX_PL, (20 * below + unit) // (2 * unit))
    every = genotypes(n_alts + 1, ploidy)
    columns = (called.tolist(), gq.tolist(), qual.tolist(), gl.tolist(), pl.tolist())
    return [
        GenotypeCall(every[number], gq, qual, tuple(gl), tuple(pl))
        for number, gq, qual, gl, pl in zip(*columns, strict=True)
    ]


def call_all_genotypes(
    answers: NDArray[np.floating],
    first: NDArray[np.int64],
    n_alts: NDArray[np.int64],
    *,
    ploidy: int | NDArray[np.integer],
) -> list[GenotypeCall]:
    """Call the genotype of each of s sites.

    Parameters
    ----------
    answers
        float [questions, 3]; those about a site lie side by side, as `call_genotypes` has them.
    first, n_alts
        int64 [s], each site's first question and ALTs.
    ploidy
        1 or 2, of all sites or of each, int [s].
    """
    calls: dict[int, GenotypeCall] = {}
    copies = np.broadcast_to(np.asarray(ploidy), n_alts.shape)
    for n, one_ploidy in sorted({*zip(n_alts.tolist(), copies.tolist(), strict=True)}):
        chosen = np.flatnonzero((n_alts == n) & (copies == one_ploidy))
        asked = first[chosen, None] + np.arange(n + n * (n - 1) // 2)
        called = call_genotypes(answers[asked], n, ploidy=one_ploidy)
        calls.update(zip(chosen.tolist(), called, strict=True))
    return [calls[site] for site in range(len(first))]


def kept_alts(call: GenotypeCall, n_alts: int) -> tuple[int, ...]:
    """Name the ALTs (1-based) to keep: the called ones, or of a hom-ref call the likeliest."""
    if n_alts == 1:
        return (1,)
    called = tuple(sorted({allele for allele in call.alleles if allele}))
    if called:
        return called
    every = genotypes(n_alts + 1, len(call.alleles))
    carrying = [
        [gl for gl, genotype in zip(call.gl, every, strict=True) if alt in genotype]
        for alt in range(1, n_alts + 1)
    ]
    return (int(_log10_sum(np.array(carrying)).argmax()) + 1,)


def _subset(call: GenotypeCall, kept: tuple[int, ...], n_alts: int) -> GenotypeCall:
    """Restrict a call to REF and the `kept` ALTs; GQ and QUAL still count the dropped ones."""
    new_number = {old: new for new, old in enumerate((0, *kept))}
    chosen = [
        index
        for index, genotype in enumerate(genotypes(n_alts + 1, len(call.alleles)))
        if all(allele in new_number for allele in genotype)
    ]
    gl = np.array(call.gl)[chosen]
    return GenotypeCall(
        alleles=tuple(new_number[allele] for allele in call.alleles),
        gq=call.gq,
        qual=call.qual,
        gl=tuple((gl - _log10_sum(gl[None])).tolist()),
        pl=tuple(call.pl[index] for index in chosen),
    )


def _narrowed(site: SiteEvidence, kept: tuple[int, ...]) -> SiteEvidence:
    """Restrict a site to REF and the `kept` ALTs; `dp` still counts the reads of the others."""
    columns = (0, *kept)
    phase = site.phase
    if phase is not None:
        phase = (
            tuple([columns.index(allele) for allele in phase]) if {*phase} <= {*columns} else None
        )
    return site._replace(
        phase=phase,
        alts=tuple([site.alts[alt - 1] for alt in kept]),
        ad=tuple([site.ad[column] for column in columns]),
        adf=tuple([site.adf[column] for column in columns]),
        adr=tuple([site.adr[column] for column in columns]),
    )


def phase_of(site: SiteEvidence, call: GenotypeCall) -> tuple[int, ...] | None:
    """Return the called allele of each haplotype, None where that is not known."""
    if site.phase is None or sorted(site.phase) != sorted(call.alleles):
        return None
    return site.phase


def status_of(
    gt: tuple[int | None, ...], qual: float, gq: int, dp: int, options: GenotypeOptions
) -> tuple[str, tuple[int | None, ...]]:
    """Return FILTER and GT of a called genotype: a doubtful hom-ref one is no call.

    `gt` has None where a copy has an allele that the record does not name.
    """
    if any(gt):
        return PASS if qual >= options.min_qual else LOW_QUAL, gt
    if None in gt:
        return NO_CALL, gt
    if dp and gq >= options.min_hom_ref_gq:
        return REF_CALL, gt
    return NO_CALL, (None,) * len(gt)


def site_record(
    site: SiteEvidence, call: GenotypeCall, options: GenotypeOptions = GenotypeOptions()
) -> VariantRecord:
    """Return the record of a called site.

    ALTs outside the called genotype are dropped (a hom-ref call keeps the likeliest one), PL and
    GL are restricted to what is left, and the alleles are trimmed again; so `start` of the record
    may lie right of the site's, never left of it. GQ and QUAL stay those of all the candidate
    ALTs: a dropped ALT is one of the ways in which the call may be wrong.

    Parameters
    ----------
    site
        Alleles and counts.
    call
        Over the alleles of the site.
    options
        Thresholds of the filters.
    """
    n_alts = len(site.alts)
    kept = kept_alts(call, n_alts)
    if len(kept) < n_alts:
        call, site = _subset(call, kept, n_alts), _narrowed(site, kept)
    star = site.alts[-1:] if site.alts[-1] == SPANNED else ()
    start, ref, alts = trim(site.start, site.ref, site.alts[: len(site.alts) - len(star)])
    phase = phase_of(site, call)
    status, gt = status_of(phase or call.alleles, call.qual, call.gq, site.dp, options)
    return VariantRecord(
        contig=site.contig,
        start=start,
        ref=ref,
        alts=alts + star,
        qual=call.qual,
        filter=status,
        gt=gt,
        gq=call.gq,
        dp=site.dp,
        ad=site.ad,
        adf=site.adf,
        adr=site.adr,
        pl=call.pl,
        gl=call.gl if options.write_gl else None,
        phase_set=None if phase is None else site.phase_set,
    )
