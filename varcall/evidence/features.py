"""What is measured of a candidate: the model's third modality, beside picture and words.

No feature is in the units of one library. Counts saturate, distances are shares of the read's
length, mismatches, clips and qualities are told against what is usual in the library or against the
REF reads; where a library cannot have a thing, the feature has its neutral value. What each is, its
unit and its neutral value stand in `FEATURE_TABLE`.
"""

from dataclasses import dataclass
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import QuestionArrays, ReferenceArrays, ShownArrays, SiteArrays
from pileup.codes import (
    INDEL,
    N_LEVELS,
    PUTATIVE,
    REF_LEVEL,
    UNINFORMATIVE,
    UNKNOWN_BASE,
    A,
    G,
)
from pileup.kernels.candidates import copies, lengths, surroundings, tally
from pileup.kernels.phasing.tags import tally_haplotypes
from varcall.evidence.candidates import Scan
from varcall.evidence.likelihood import AskedAlleles
from varcall.evidence.tallies import LEVELS, Tallies, mismatch_rate, share
from varcall.reads.library_profile import LibraryProfile

# Share of tagged fragments that show another allele than their haplotype has: tags are right in 99
# of 100 on the HG002 slices, what a read shows of an indel in a repeat is not.
_HAPLOTYPE_ERROR = 0.05
# Counts are those of a site of at most this depth: what more reads add, the likelihoods say.
DEEP_ENOUGH = 40
# Mismatches per read that count as none: a ratio of two small numbers says little.
_FEW_MISMATCHES = 0.5
# Qualities of a library that has one only still vary in meaning by some phred.
_LEAST_QUALITY_SD = 2.0
_USUAL_LOW_FRACTION = 0.1

# Grid of all features, a power of two, so that every value on it is exact. Between two values that
# differ in the last bits only, which CPUs add up to differently, no tree can then split; finer
# differences than this no feature means.
_GRID = 2.0**-10

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Measured:
    """Raw sums of a window's questions; see the kernels for the columns."""

    tallies: Tallies
    spans: Values
    neighbours: Values
    alleles: AskedAlleles
    weighed: Values
    likelihoods: Values
    length_likelihood: Values
    gc_share: Values
    run: Values
    depth: Values
    """Fragments at the site, informative or not."""
    scale: Values
    """What counts are multiplied by, so that no site is deeper than `DEEP_ENOUGH`."""


def measure(
    questions: QuestionArrays,
    scan: Scan,
    sites: SiteArrays,
    shown: ShownArrays,
    profile: LibraryProfile,
    alleles: AskedAlleles,
    tallies: Tallies,
    weighed: Values,
    likelihoods: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return float32 [q, N_FEATURES]; every value is finite and about unit scale.

    Parameters
    ----------
    alleles, weighed, likelihoods
        Of `varcall.evidence.likelihood`, of the same questions.
    tallies
        Of the same questions.
    """
    n = len(questions.site)
    depth = tallies.sums[:, :, tally.COUNT].sum(axis=1)
    raw = _Measured(
        tallies=tallies,
        depth=depth,
        scale=np.minimum(1.0, DEEP_ENOUGH / np.maximum(depth, 1.0)),
        spans=np.zeros((n, lengths.N_SPANS)),
        neighbours=np.zeros((n, surroundings.N_NEIGHBOUR_VALUES)),
        alleles=alleles,
        weighed=weighed,
        likelihoods=likelihoods.astype(np.float64),
        length_likelihood=np.zeros((n, 3)),
        gc_share=np.zeros(n),
        run=np.zeros(n),
    )
    lengths.tally_lengths(
        questions, shown, alleles.delta, alleles.unit, alleles.slip, raw.spans,
        raw.length_likelihood,
    )  # fmt: skip
    fractions = np.zeros(len(sites.start), np.float32)
    surroundings.site_fractions(shown, fractions)
    surroundings.look_around(questions, sites, fractions, raw.neighbours)
    surroundings.describe_reference(questions, scan.reference, sites, raw.gc_share, raw.run)
    columns = {
        **_witness_features(raw, profile),
        **_read_features(raw, profile),
        **_allele_features(raw, questions, scan.reference, sites),
        **_length_features(raw),
        **_context_features(raw, profile),
        **_haplotype_features(questions, shown),
    }
    return np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float32)


def on_grid(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round features, float32 of any shape, to multiples of 1/1024: what models are given.

    Training and calling come this way alike, so that machines whose floating point differs in the
    last bits give the same answers. There is no -0.0, so that equal values have equal bytes.
    """
    rounded = np.rint(features / np.float32(_GRID)) * np.float32(_GRID) + np.float32(0)
    return np.asarray(rounded, np.float32)


def _log(values: Values | NDArray[np.int64] | NDArray[np.int32], scale: float) -> Values:
    return np.log1p(values) / scale


def _signed_log(values: Values) -> Values:
    """Compress a log-likelihood ratio: +-1 at about 150."""
    return np.sign(values) * np.log1p(np.abs(values)) / 5.0


def _witness_features(raw: _Measured, profile: LibraryProfile) -> dict[str, Values]:
    """Counts, fractions, strands and likelihoods of the fragments, by what they show."""
    putative, other, ref, unknown = (raw.tallies.sums[:, level] for level in range(N_LEVELS))
    n_putative, n_ref = putative[:, tally.COUNT], ref[:, tally.COUNT]
    n_other, n_unknown = other[:, tally.COUNT], unknown[:, tally.COUNT]
    informative = n_putative + n_other + n_ref
    depth, scale = raw.depth, raw.scale
    fraction = share(n_putative, informative)
    weight = raw.weighed[:, copies.WEIGHT]
    zero, one, two = raw.likelihoods.T
    relative = depth / profile.depth if profile.depth else np.ones(len(depth))
    return {
        "depth_log": _log(scale * depth, 5),
        "putative_log": _log(scale * n_putative, 5),
        "ref_log": _log(scale * n_ref, 5),
        "other_log": _log(scale * n_other, 5),
        "uninformative_log": _log(scale * n_unknown, 5),
        "putative_fraction": fraction,
        "ref_fraction": share(n_ref, informative),
        "other_fraction": share(n_other, informative),
        "distance_from_half": np.abs(fraction - 0.5),
        "other_alts_fraction": share(raw.tallies.extras[:, tally.OTHER_ALTS], informative),
        "depth_over_sample_depth": np.minimum(relative, 4) / 2,
        "putative_forward_share": share(putative[:, tally.FORWARD], n_putative, 0.5),
        "ref_forward_share": share(ref[:, tally.FORWARD], n_ref, 0.5),
        "strand_bias_z": _strand_bias(putative, ref, scale),
        "putative_weight_share": share(raw.weighed[:, copies.PUTATIVE_WEIGHT], weight),
        "trusted_share": share(weight, informative, 1.0),
        "log_likelihood_one_over_zero": _signed_log(one - zero),
        "log_likelihood_two_over_one": _signed_log(two - one),
    }


def _read_features(raw: _Measured, profile: LibraryProfile) -> dict[str, Values]:
    """What the putative and the REF reads are like, against each other and against the library."""
    all_sums = raw.tallies.sums.sum(axis=1)
    features = {
        "low_mapq_share": share(all_sums[:, tally.LOW_MAPQ], raw.depth),
        "clip_pile_share": share(raw.tallies.extras[:, tally.CLIPPED_HERE], raw.depth),
    }
    mismatches, clipped, starts = [], [], []
    pairs_tell = float(profile.pairs_tell)
    for number, (who, level) in enumerate(zip(("putative", "ref"), LEVELS, strict=True)):
        sums, stacks = raw.tallies.sums[:, level], raw.tallies.stacks[:, number]
        count, length = sums[:, tally.COUNT], share(sums[:, tally.LENGTH], sums[:, tally.COUNT])
        expected = mismatch_rate(profile) * length + _FEW_MISMATCHES
        shown = share(sums[:, tally.MISMATCHES], count) + _FEW_MISMATCHES
        mismatches.append(np.where(count > 0, np.log(shown / expected), 0.0))
        clipped.append(share(sums[:, tally.CLIPPED], count))
        starts.append(share(stacks[:, tally.DISTINCT_STARTS], _expected_starts(count, length), 1))
        improper = share(sums[:, tally.IMPROPER], sums[:, tally.PAIRED], 1 - profile.proper_share)
        quality = share(sums[:, tally.QUALITY], sums[:, tally.KNOWN_QUALITY], np.nan)
        features |= {
            f"{who}_base_quality_z": _quality_z(quality, profile),
            f"{who}_mapq": share(sums[:, tally.MAPQ], count, 1.0),
            f"{who}_low_mapq_share": share(sums[:, tally.LOW_MAPQ], count),
            f"{who}_distance_to_read_end": 2 * share(sums[:, tally.TO_END], count, 0.25),
            f"{who}_mismatches": mismatches[-1] / 2,
            f"{who}_clipped_excess": np.where(count > 0, clipped[-1] - profile.clipped_share, 0.0),
            f"{who}_distinct_starts": np.minimum(starts[-1], 2.0),
            f"{who}_stack_share": raw.tallies.stack_share(level),
            f"{who}_improper_pair_excess": pairs_tell * (improper - (1 - profile.proper_share)),
        }
    n_putative = raw.tallies.count(PUTATIVE)
    both = (n_putative > 0) & (raw.tallies.count(REF_LEVEL) > 0)
    best = np.where(
        raw.tallies.sums[:, PUTATIVE, tally.KNOWN_QUALITY] > 0,
        raw.tallies.extras[:, tally.BEST_QUALITY],
        np.nan,
    )
    near = raw.tallies.extras[:, tally.NEAR_END] - raw.tallies.extras[:, tally.EXPECTED_NEAR_END]
    return features | {
        "putative_best_base_quality_z": _quality_z(best, profile),
        "putative_near_end_excess": share(near, n_putative),
        "putative_mismatches_over_ref": np.where(both, mismatches[0] - mismatches[1], 0.0) / 2,
        "putative_clipped_over_ref": np.where(both, clipped[0] - clipped[1], 0.0),
        "putative_distinct_starts_over_ref": np.where(
            both, np.log(np.maximum(starts[0], 0.01) / np.maximum(starts[1], 0.01)), 0.0
        ),
    }


def _quality_z(quality: Values, profile: LibraryProfile) -> Values:
    """Return how far a base quality is from the library's mean, in half standard deviations."""
    if not profile.base_quality:
        return np.zeros(len(quality))
    z = (quality - profile.base_quality) / (profile.base_quality_sd + _LEAST_QUALITY_SD)
    return np.where(np.isnan(quality), 0.0, np.clip(z / 2, -2.0, 2.0))


def _expected_starts(count: Values, length: Values) -> Values:
    """Return how many different starts so many reads would have at random over their length."""
    places = np.maximum(length, 1.0)
    return np.asarray(places * -np.expm1(count * np.log1p(-1 / np.maximum(places, 2.0))))


def _strand_bias(putative: Values, ref: Values, scale: Values) -> Values:
    """Return the z score of the putative reads' forward share against REF's, a fifth of it."""
    n_putative, n_ref = putative[:, tally.COUNT], ref[:, tally.COUNT]
    forward_putative, forward_ref = putative[:, tally.FORWARD], ref[:, tally.FORWARD]
    pooled = share(forward_putative + forward_ref, n_putative + n_ref)
    ones = np.ones(len(n_ref))
    variance = pooled * (1 - pooled) * (share(ones, n_putative) + share(ones, n_ref))
    difference = share(forward_putative, n_putative) - share(forward_ref, n_ref)
    z = difference / np.sqrt(np.maximum(variance, 1e-9)) * np.sqrt(scale)
    known = (np.minimum(n_putative, n_ref) > 0) & (variance > 0)
    return np.where(known, np.clip(z / 5, -1.5, 1.5), 0.0)


def _allele_features(
    raw: _Measured, questions: QuestionArrays, reference: ReferenceArrays, sites: SiteArrays
) -> dict[str, Values]:
    """What kind of variant is asked about."""
    site, first, codes = questions.site, raw.alleles.alts[:, 0], reference.codes
    is_indel = sites.kind[site] == INDEL
    change = (sites.alt_inserted - sites.alt_deleted)[raw.alleles.alts]
    column = sites.start[site] - reference.start
    # A deletion puts no base; the one appended stands for it (and is not used).
    bases = np.append(sites.alt_bases, UNKNOWN_BASE).astype(np.int64)
    put = bases[np.where(is_indel, -1, sites.alt_base_offset[first])]
    is_snv = ~is_indel & (sites.ref_length[site] == 1)
    extends = (codes[column - 1] == put) * 0.5 + (codes[column + 1] == put) * 0.5
    # Transitions, A <-> G and C <-> T, are two codes apart.
    is_transition = is_snv & (np.abs(put - codes[column]) == G - A)
    return {
        "is_snv": is_snv.astype(float),
        "is_mnv": (~is_indel & ~is_snv).astype(float),
        "is_insertion": (is_indel & (change > 0).any(1)).astype(float),
        "is_deletion": (is_indel & (change < 0).any(1)).astype(float),
        "is_transition": is_transition.astype(float),
        "extends_neighbouring_base": np.where(is_indel, 0.0, extends),
        "inserted_log": _log(np.where(is_indel, sites.alt_inserted[first], 0), 4),
        "deleted_log": _log(np.where(is_indel, sites.alt_deleted[first], 0), 4),
        "asks_two_alleles": (first != raw.alleles.alts[:, 1]).astype(float),
        "alleles_at_site": np.diff(sites.alt_offset)[site] / 4,
        "putative_over_commonest_alt": share(
            raw.tallies.count(PUTATIVE), raw.tallies.extras[:, tally.COMMONEST_ALT]
        ),
    }


def _length_features(raw: _Measured) -> dict[str, Values]:
    """Repeat lengths of the reads that span an indel's repeat."""
    spanning, ref, putative, off_by_one = (raw.spans[:, i] for i in range(lengths.N_SPANS))
    alleles = raw.alleles
    scale = np.minimum(1.0, DEEP_ENOUGH / np.maximum(spanning, 1.0))
    likelihood = raw.length_likelihood * scale[:, None]
    return {
        "repeat_length_log": _log(alleles.repeat_length, 5),
        "repeat_unit": np.minimum(alleles.unit, 12) / 6,
        "repeat_copies_log": _log(alleles.repeat_length / np.maximum(alleles.unit, 1), 4),
        "expected_slippage_sqrt": np.sqrt(alleles.slip),
        "spanning_log": _log(raw.scale * spanning, 5),
        "spanning_ref_share": share(ref, spanning),
        "spanning_putative_share": share(putative, spanning),
        "spanning_one_unit_off_share": share(off_by_one, spanning),
        "spanning_other_share": share(spanning - ref - putative - off_by_one, spanning),
        "stutter_one_over_zero": _signed_log(likelihood[:, 1] - likelihood[:, 0]),
        "stutter_two_over_one": _signed_log(likelihood[:, 2] - likelihood[:, 1]),
    }


def _context_features(raw: _Measured, profile: LibraryProfile) -> dict[str, Values]:
    """Neighbouring candidates, the reference around, and the sample."""
    ones = np.ones(len(raw.run))
    low_fraction = profile.low_fraction_share
    return {
        "homopolymer_run_log": _log(raw.run, 3.5),
        "gc_share_101": raw.gc_share,
        "neighbour_fraction_25": raw.neighbours[:, surroundings.NEAR_FRACTION],
        "neighbour_fraction_100": raw.neighbours[:, surroundings.FAR_FRACTION],
        "neighbour_indel_fraction_25": raw.neighbours[:, surroundings.NEAR_INDEL],
        "neighbours_100": np.minimum(raw.neighbours[:, surroundings.NEIGHBOURS], 20) / 10,
        "nearest_neighbour_log": _log(raw.neighbours[:, surroundings.NEAREST], 5),
        "sample_error_rate_log10": ones * np.log10(max(profile.error_rate, 1e-5)) / 5,
        "sample_low_fraction_share": ones
        * (_USUAL_LOW_FRACTION if isnan(low_fraction) else low_fraction),
        "sample_slippage_12_14_sqrt": ones * np.sqrt(profile.slippage[2]),
        "sample_ref_at_hom_sqrt": ones * np.sqrt(profile.ref_at_hom),
    }


def _haplotype_features(questions: QuestionArrays, shown: ShownArrays) -> dict[str, Values]:
    """Whether the allele lies on the haplotypes that other SNVs tell; neutral where none does.

    Shares are of the haplotype that shows the allele more, and of the other. A tagged fragment is
    taken to show what its haplotype does not have with `_HAPLOTYPE_ERROR`.
    """
    tally = np.zeros((len(questions.site), 2, 2))
    tally_haplotypes(questions, shown, tally)
    of_each = [share(tally[:, h, 1], tally[:, h].sum(1), 0.5) for h in range(2)]
    shares = np.sort(of_each, axis=0)
    seen, wrong = np.log(1 - _HAPLOTYPE_ERROR), np.log(_HAPLOTYPE_ERROR)
    # By haplotype: log-likelihood if it lacks the allele, and if it has it.
    tagged = tally.sum((1, 2))
    counted = tally * np.minimum(1.0, DEEP_ENOUGH / np.maximum(tagged, 1.0))[:, None, None]
    lacks, has = counted @ (seen, wrong), counted @ (wrong, seen)
    none, both = lacks.sum(1), has.sum(1)
    one = np.logaddexp(lacks[:, 0] + has[:, 1], has[:, 0] + lacks[:, 1]) - np.log(2)
    return {
        "haplotype_larger_share": shares[1],
        "haplotype_smaller_share": shares[0],
        "haplotype_tagged_share": share(tagged, _informative_fragments(questions, shown)),
        "haplotype_one_over_zero": _signed_log(np.where(tagged > 0, one - none, 0.0)),
        "haplotype_two_over_one": _signed_log(np.where(tagged > 0, both - one, 0.0)),
    }


def _informative_fragments(questions: QuestionArrays, shown: ShownArrays) -> Values:
    """Return how many fragments show any allele at each question's site, float64 [q]."""
    informative = np.append(0, np.cumsum(shown.counts & (shown.allele != UNINFORMATIVE)))
    by_site = np.diff(informative[shown.offset])
    return by_site[questions.site].astype(np.float64)


class Feature(NamedTuple):
    """What a feature is.

    Attributes
    ----------
    name
        As it stands in the weights.
    unit
        Of the number, before the divisor that brings it to about one.
    neutral
        The value where the thing is undefined, or says nothing.
    meaning
        In words. "putative" fragments show the allele(s) asked about, "ref" ones REF, "other" ones
        anything else.
    """

    name: str
    unit: str
    neutral: float
    meaning: str


_CAPPED = "log(1 + count) / 5"
_FRACTION = "share of informative fragments"
_Z = "z / 2"
_RATIO = "log ratio / 2"
_EXCESS = "difference of shares"
_OF_HAPLOTYPE = "putative share of a haplotype's fragments"
_OF_TAGGED = "signed log(1 + log-likelihood ratio) / 5"

# The order is part of the weights.
FEATURE_TABLE = (
    Feature("depth_log", _CAPPED, 0, "fragments, of at most 40"),
    Feature("putative_log", _CAPPED, 0, "putative fragments, of at most 40 in all"),
    Feature("ref_log", _CAPPED, 0, "REF fragments, of at most 40 in all"),
    Feature("other_log", _CAPPED, 0, "other fragments, of at most 40 in all"),
    Feature("uninformative_log", _CAPPED, 0, "fragments that show no allele, of at most 40"),
    Feature("putative_fraction", _FRACTION, 0, "putative ones"),
    Feature("ref_fraction", _FRACTION, 0, "REF ones"),
    Feature("other_fraction", _FRACTION, 0, "other ones"),
    Feature("distance_from_half", _FRACTION, 0.5, "how far the putative ones are from a half"),
    Feature("other_alts_fraction", _FRACTION, 0, "those of the site's other ALTs"),
    Feature("depth_over_sample_depth", "ratio / 2, at most 2", 0.5, "fragments over the sample's"),
    Feature("putative_forward_share", "share", 0.5, "putative reads on the forward strand"),
    Feature("ref_forward_share", "share", 0.5, "REF reads on the forward strand"),
    Feature("strand_bias_z", "z / 5", 0, "putative reads' forward share against REF reads'"),
    Feature("putative_weight_share", "share of weight", 0, "putative fragments by their weight"),
    Feature("trusted_share", _FRACTION, 1, "how much all weigh: measured error and MAPQ"),
    Feature("log_likelihood_one_over_zero", "log(1 + nats) / 5", 0, "1 copy over 0, from counts"),
    Feature("log_likelihood_two_over_one", "log(1 + nats) / 5", 0, "2 copies over 1, from counts"),
    Feature("putative_base_quality_z", _Z, 0, "mean base quality against the library's"),
    Feature("ref_base_quality_z", _Z, 0, "the same of REF reads"),
    Feature("putative_best_base_quality_z", _Z, 0, "the best one against the library's"),
    Feature("putative_mapq", "share", 1, "mean MAPQ over what the mapper gives when sure"),
    Feature("ref_mapq", "share", 1, "the same of REF reads"),
    Feature("putative_low_mapq_share", "share", 0, "putative reads with under a third of it"),
    Feature("ref_low_mapq_share", "share", 0, "REF reads with under a third of it"),
    Feature("low_mapq_share", "share", 0, "all reads with under a third of it"),
    Feature("putative_distance_to_read_end", "2 x share of length", 0.5, "site to nearer end"),
    Feature("ref_distance_to_read_end", "2 x share of length", 0.5, "the same of REF reads"),
    Feature("putative_near_end_excess", _EXCESS, 0, "reads within 6 bases of an end, over chance"),
    Feature("putative_mismatches", _RATIO, 0, "other mismatches a read over the library's"),
    Feature("ref_mismatches", _RATIO, 0, "the same of REF reads"),
    Feature("putative_mismatches_over_ref", _RATIO, 0, "the first against the second"),
    Feature("putative_clipped_excess", _EXCESS, 0, "soft-clipped reads over the library's"),
    Feature("ref_clipped_excess", _EXCESS, 0, "the same of REF reads"),
    Feature("putative_clipped_over_ref", _EXCESS, 0, "the first against the second"),
    Feature("clip_pile_share", "share", 0, "reads clipped within 10 bases of the site"),
    Feature("putative_distinct_starts", "ratio, at most 2", 1, "different starts over random ones"),
    Feature("ref_distinct_starts", "ratio, at most 2", 1, "the same of REF reads"),
    Feature("putative_distinct_starts_over_ref", "log ratio", 0, "the first against the second"),
    Feature("putative_stack_share", "share", 0, "reads beyond one that start or end at one base"),
    Feature("ref_stack_share", "share", 0, "the same of REF reads"),
    Feature("putative_improper_pair_excess", _EXCESS, 0, "improper pairs over the library's"),
    Feature("ref_improper_pair_excess", _EXCESS, 0, "the same of REF reads"),
    Feature("is_snv", "0 or 1", 0, "one base for another"),
    Feature("is_mnv", "0 or 1", 0, "several bases for as many"),
    Feature("is_insertion", "0 or 1", 0, "an ALT asked about is longer"),
    Feature("is_deletion", "0 or 1", 0, "an ALT asked about is shorter"),
    Feature("is_transition", "0 or 1", 0, "A for G, C for T or back"),
    Feature("extends_neighbouring_base", "0, 1/2 or 1", 0, "neighbours equal to the SNV's base"),
    Feature("inserted_log", "log(1 + bases) / 4", 0, "bases of an insertion"),
    Feature("deleted_log", "log(1 + bases) / 4", 0, "bases of a deletion"),
    Feature("asks_two_alleles", "0 or 1", 0, "about either of two ALTs"),
    Feature("alleles_at_site", "count / 4", 0.25, "candidate ALTs"),
    Feature("putative_over_commonest_alt", "ratio", 0, "putative reads over the commonest ALT's"),
    Feature("repeat_length_log", "log(1 + bases) / 5", 0, "how far the indel can be shifted"),
    Feature("repeat_unit", "bases / 6, at most 2", 0, "unit of that repeat"),
    Feature("repeat_copies_log", "log(1 + count) / 4", 0, "copies of the unit"),
    Feature("homopolymer_run_log", "log(1 + bases) / 3.5", 0.2, "longest run at the site"),
    Feature("expected_slippage_sqrt", "root of a share", 0.045, "reads expected to slip there"),
    Feature("spanning_log", _CAPPED, 0, "reads that span an indel's repeat, of at most 40"),
    Feature("spanning_ref_share", "share of spanning reads", 0, "of REF's length"),
    Feature("spanning_putative_share", "share of spanning reads", 0, "of a putative length"),
    Feature("spanning_one_unit_off_share", "share of spanning reads", 0, "one unit off that"),
    Feature("spanning_other_share", "share of spanning reads", 0, "of another length"),
    Feature("stutter_one_over_zero", "log(1 + nats) / 5", 0, "1 copy over 0, from lengths"),
    Feature("stutter_two_over_one", "log(1 + nats) / 5", 0, "2 copies over 1, from lengths"),
    Feature("neighbour_fraction_25", "share", 0, "largest of other candidates within 25 bases"),
    Feature("neighbour_fraction_100", "share", 0, "the same within 100 bases"),
    Feature("neighbour_indel_fraction_25", "share", 0, "the same of indels within 25 bases"),
    Feature("neighbours_100", "count / 10, at most 2", 0, "other candidates within 100 bases"),
    Feature("nearest_neighbour_log", "log(1 + bases) / 5", 0.923, "distance of the nearest"),
    Feature("gc_share_101", "share", 0.5, "G and C of 101 bases of the reference"),
    Feature("sample_error_rate_log10", "log10 of a rate / 5", -0.6, "mismatches of good bases"),
    Feature("sample_low_fraction_share", "share", 0.1, "candidates with under 25 % of reads"),
    Feature("sample_slippage_12_14_sqrt", "root of a share", 0.224, "of homopolymers of 12 to 14"),
    Feature("sample_ref_at_hom_sqrt", "root of a share", 0.045, "REF bases at hom-alt SNVs"),
    Feature("haplotype_larger_share", _OF_HAPLOTYPE, 0.5, "that shows the allele more"),
    Feature("haplotype_smaller_share", _OF_HAPLOTYPE, 0.5, "that shows the allele less"),
    Feature("haplotype_tagged_share", _FRACTION, 0, "whose haplotype other SNVs tell"),
    Feature("haplotype_one_over_zero", _OF_TAGGED, 0, "one copy over none"),
    Feature("haplotype_two_over_one", _OF_TAGGED, 0, "two copies over one"),
)
FEATURES = tuple(feature.name for feature in FEATURE_TABLE)
N_FEATURES = len(FEATURES)

LIBRARY_FEATURES = (
    "depth_over_sample_depth", "expected_slippage_sqrt", "stutter_one_over_zero",
    "stutter_two_over_one", "sample_error_rate_log10", "sample_low_fraction_share",
    "sample_slippage_12_14_sqrt", "sample_ref_at_hom_sqrt",
)  # fmt: skip
"""What the library profile tells the features; the prompt tells it in words as well."""

_LIBRARY_COLUMNS = [FEATURES.index(name) for name in LIBRARY_FEATURES]
_LIBRARY_NEUTRAL = np.array([FEATURE_TABLE[i].neutral for i in _LIBRARY_COLUMNS], np.float32)


def without_library(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features, float32 [n, N_FEATURES], with those of the library at neutral values."""
    withheld = features.copy()
    withheld[:, _LIBRARY_COLUMNS] = on_grid(_LIBRARY_NEUTRAL)
    return withheld
