"""What is measured of a candidate: the model's third modality, beside picture and words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import QuestionArrays, ReadArrays, ReferenceArrays, ShownArrays, SiteArrays
from pileup.codes import INDEL, N_LEVELS, PUTATIVE, UNKNOWN_BASE, UNKNOWN_LEVEL, A, G
from pileup.kernels.candidates import lengths, surroundings, tally
from varcall.evidence.candidates import Scan
from varcall.reads.library_profile import LibraryProfile

# Stated qualities promise more than real bases keep; no witness is trusted further than this.
_MIN_BASE_ERROR = 0.002
_MIN_INDEL_ERROR = 0.004
_MAX_SLIPPAGE = 0.6
# Where fewer of a library's pairs are proper, an improper pair is the rule there and no sign of a
# wrong mapping: some mappers never set the flag, mate pairs point outwards.
_MIN_PROPER_SHARE = 0.5

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Measured:
    """Raw sums of a window's questions; see the kernels for the columns."""

    sums: Values
    extras: Values
    spans: Values
    neighbours: Values
    asked: NDArray[np.int64]
    unit: NDArray[np.int64]
    repeat_length: NDArray[np.int64]
    slip: Values
    base_likelihood: Values
    length_likelihood: Values
    gc_share: Values
    run: Values


def measure(
    questions: QuestionArrays,
    reads: ReadArrays,
    scan: Scan,
    sites: SiteArrays,
    shown: ShownArrays,
    profile: LibraryProfile,
) -> NDArray[np.float32]:
    """Return float32 [q, N_FEATURES]; every value is finite and about unit scale."""
    raw = _sum_up(questions, reads, scan, sites, shown, profile)
    columns = {
        **_witness_features(raw, profile),
        **_allele_features(raw, questions, scan.reference, sites),
        **_length_features(raw),
        **_context_features(raw, profile),
    }
    return np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float32)


def _sum_up(
    questions: QuestionArrays,
    reads: ReadArrays,
    scan: Scan,
    sites: SiteArrays,
    shown: ShownArrays,
    profile: LibraryProfile,
) -> _Measured:
    site = questions.site
    n = len(site)
    raw = _Measured(
        sums=np.zeros((n, N_LEVELS, tally.N_SUMS)),
        extras=np.zeros((n, tally.N_EXTRAS)),
        spans=np.zeros((n, lengths.N_SPANS)),
        neighbours=np.zeros((n, surroundings.N_NEIGHBOUR_VALUES)),
        asked=np.zeros((n, 2), np.int64),
        unit=np.zeros(n, np.int64),
        repeat_length=np.where(
            sites.kind[site] == INDEL, sites.repeat_end[site] - sites.start[site] - 1, 0
        ),
        slip=np.zeros(n),
        base_likelihood=np.zeros((n, 3)),
        length_likelihood=np.zeros((n, 3)),
        gc_share=np.zeros(n),
        run=np.zeros(n),
    )
    delta = np.zeros((n, 2), np.int64)
    tally.tally_witnesses(questions, reads, scan.counts, sites, shown, raw.sums, raw.extras)
    lengths.describe_alleles(questions, scan.reference, sites, raw.asked, delta, raw.unit)
    raw.slip[:] = expected_slippage(profile, raw.repeat_length, raw.unit)
    tally.log_likelihoods(questions, reads, sites, shown, raw.slip, raw.base_likelihood)
    lengths.tally_lengths(
        questions, shown, delta, raw.unit, raw.slip, raw.spans, raw.length_likelihood
    )
    fractions = np.zeros(len(sites.start), np.float32)
    surroundings.site_fractions(shown, fractions)
    surroundings.look_around(questions, sites, fractions, raw.neighbours)
    surroundings.describe_reference(questions, scan.reference, sites, raw.gc_share, raw.run)
    return raw


def expected_slippage(
    profile: LibraryProfile, repeat_length: NDArray[np.int64], unit: NDArray[np.int64]
) -> Values:
    """Return the share of reads expected to slip at each repeat, float64 [q].

    The profile knows runs of 6-8, 9-11, 12-14 and 15-20; a repeat of longer units slips like a
    homopolymer of half its length. Where `unit` is 0 (a substitution) it is the base error.
    """
    run = np.where(unit == 1, repeat_length, repeat_length // 2)
    by_bin = np.array([_MIN_INDEL_ERROR, *profile.slippage])
    slip = by_bin[np.searchsorted([6, 9, 12, 15], run, side="right")]
    slip = slip * (1 + 0.1 * np.maximum(0, run - 17))
    slip = np.clip(slip, _MIN_INDEL_ERROR, _MAX_SLIPPAGE)
    return np.where(unit == 0, _MIN_BASE_ERROR, slip)


def _share(part: Values, whole: Values, empty: float = 0.0) -> Values:
    return np.where(whole > 0, part / np.maximum(whole, 1e-9), empty)


def _log(values: Values | NDArray[np.int64] | NDArray[np.int32], scale: float) -> Values:
    return np.log1p(values) / scale


def _signed_log(values: Values) -> Values:
    """Compress a log-likelihood ratio: +-1 at about 150."""
    return np.sign(values) * np.log1p(np.abs(values)) / 5.0


def _witness_features(raw: _Measured, profile: LibraryProfile) -> dict[str, Values]:
    """Counts, fractions, strands and qualities of the fragments, by what they show."""
    putative, other, ref, unknown = (raw.sums[:, level] for level in range(N_LEVELS))
    n_putative, n_ref = putative[:, tally.COUNT], ref[:, tally.COUNT]
    n_other, n_unknown = other[:, tally.COUNT], unknown[:, tally.COUNT]
    informative = n_putative + n_other + n_ref
    depth = informative + n_unknown
    fraction = _share(n_putative, informative)
    forward = putative[:, tally.FORWARD]
    features = {
        "depth_log": _log(depth, 5),
        "putative_log": _log(n_putative, 5),
        "ref_log": _log(n_ref, 5),
        "other_log": _log(n_other, 5),
        "uninformative_log": _log(n_unknown, 5),
        "putative_fraction": fraction,
        "ref_fraction": _share(n_ref, informative),
        "other_fraction": _share(n_other, informative),
        "distance_from_half": np.abs(fraction - 0.5),
        "other_alts_fraction": _share(raw.extras[:, tally.OTHER_ALTS], informative),
        "depth_over_sample_depth": np.minimum(depth / max(profile.depth, 1.0), 4) / 2,
        "putative_weaker_strand_log": _log(np.minimum(forward, n_putative - forward), 4),
        "strand_bias_z": _strand_bias(putative, ref),
        "putative_best_base_quality": raw.extras[:, tally.BEST_QUALITY] / 40,
        "low_mapq_share": _share(raw.sums[:, :, tally.LOW_MAPQ].sum(1), depth),
        "putative_low_mapq_share": _share(putative[:, tally.LOW_MAPQ], n_putative),
        "putative_near_read_end_share": _share(raw.extras[:, tally.NEAR_END], n_putative),
        "putative_distinct_starts_share": _share(raw.extras[:, tally.DISTINCT_STARTS], n_putative),
        "putative_quality_share": _share(
            putative[:, tally.QUALITY], raw.sums[:, :UNKNOWN_LEVEL, tally.QUALITY].sum(1)
        ),
        "log_likelihood_one_over_zero": _signed_log(
            raw.base_likelihood[:, 1] - raw.base_likelihood[:, 0]
        ),
        "log_likelihood_two_over_one": _signed_log(
            raw.base_likelihood[:, 2] - raw.base_likelihood[:, 1]
        ),
    }
    pairs_tell = float(profile.proper_share >= _MIN_PROPER_SHARE)
    for who, level in (("putative", putative), ("ref", ref)):
        count = level[:, tally.COUNT]
        features |= {
            f"{who}_forward_share": _share(level[:, tally.FORWARD], count, 0.5),
            f"{who}_base_quality": _share(level[:, tally.QUALITY], count) / 40,
            f"{who}_mapq": _share(level[:, tally.MAPQ], count) / 60,
            f"{who}_distance_to_read_end": _share(level[:, tally.TO_END], count) / 50,
            f"{who}_other_mismatches": _share(level[:, tally.MISMATCHES], count) / 5,
            f"{who}_clipped_share": _share(level[:, tally.CLIPPED], count),
            f"{who}_improper_pair_share": pairs_tell * _share(level[:, tally.IMPROPER], count),
        }
    return features


def _strand_bias(putative: Values, ref: Values) -> Values:
    """Return the z score of the putative reads' forward share against REF's, a fifth of it."""
    n_putative, n_ref = putative[:, tally.COUNT], ref[:, tally.COUNT]
    forward_putative, forward_ref = putative[:, tally.FORWARD], ref[:, tally.FORWARD]
    pooled = _share(forward_putative + forward_ref, n_putative + n_ref)
    ones = np.ones(len(n_ref))
    variance = pooled * (1 - pooled) * (_share(ones, n_putative) + _share(ones, n_ref))
    difference = _share(forward_putative, n_putative) - _share(forward_ref, n_ref)
    z = difference / np.sqrt(np.maximum(variance, 1e-9))
    known = (np.minimum(n_putative, n_ref) > 0) & (variance > 0)
    return np.where(known, np.clip(z / 5, -1.5, 1.5), 0.0)


def _allele_features(
    raw: _Measured, questions: QuestionArrays, reference: ReferenceArrays, sites: SiteArrays
) -> dict[str, Values]:
    """What kind of variant is asked about."""
    site, first, codes = questions.site, raw.asked[:, 0], reference.codes
    is_indel = sites.kind[site] == INDEL
    change = (sites.alt_inserted - sites.alt_deleted)[raw.asked]
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
        "asks_two_alleles": (raw.asked[:, 0] != raw.asked[:, 1]).astype(float),
        "alleles_at_site": np.diff(sites.alt_offset)[site] / 4,
        "putative_over_commonest_alt": _share(
            raw.sums[:, PUTATIVE, tally.COUNT], raw.extras[:, tally.COMMONEST_ALT]
        ),
    }


def _length_features(raw: _Measured) -> dict[str, Values]:
    """Repeat lengths of the reads that span an indel's repeat."""
    spanning, ref, putative, off_by_one = (raw.spans[:, i] for i in range(lengths.N_SPANS))
    likelihood = raw.length_likelihood
    return {
        "repeat_length_log": _log(raw.repeat_length, 5),
        "repeat_unit": np.minimum(raw.unit, 12) / 6,
        "repeat_copies_log": _log(raw.repeat_length / np.maximum(raw.unit, 1), 4),
        "expected_slippage_sqrt": np.sqrt(raw.slip),
        "spanning_log": _log(spanning, 5),
        "spanning_ref_share": _share(ref, spanning),
        "spanning_putative_share": _share(putative, spanning),
        "spanning_one_unit_off_share": _share(off_by_one, spanning),
        "spanning_other_share": _share(spanning - ref - putative - off_by_one, spanning),
        "stutter_one_over_zero": _signed_log(likelihood[:, 1] - likelihood[:, 0]),
        "stutter_two_over_one": _signed_log(likelihood[:, 2] - likelihood[:, 1]),
    }


def _context_features(raw: _Measured, profile: LibraryProfile) -> dict[str, Values]:
    """Neighbouring candidates, the reference around, and the sample."""
    ones = np.ones(len(raw.run))
    return {
        "homopolymer_run_log": _log(raw.run, 3.5),
        "gc_share_101": raw.gc_share,
        "neighbour_fraction_25": raw.neighbours[:, surroundings.NEAR_FRACTION],
        "neighbour_fraction_100": raw.neighbours[:, surroundings.FAR_FRACTION],
        "neighbours_100": np.minimum(raw.neighbours[:, surroundings.NEIGHBOURS], 20) / 10,
        "nearest_neighbour_log": _log(raw.neighbours[:, surroundings.NEAREST], 5),
        "sample_error_rate_log10": ones * np.log10(max(profile.error_rate, 1e-5)) / 5,
        "sample_read_length": ones * min(profile.read_length, 500) / 250,
        "sample_depth_log": _log(ones * profile.depth, 5),
        "sample_slippage_12_14_sqrt": ones * np.sqrt(profile.slippage[2]),
    }


# "putative" fragments show the allele(s) asked about, "ref" ones REF, "other" ones anything else.
# "_log" is log(1 + x), scaled to about one. The order is part of the weights.
FEATURES = (
    "depth_log",
    "putative_log",
    "ref_log",
    "other_log",
    "uninformative_log",
    "putative_fraction",
    "ref_fraction",
    "other_fraction",
    "distance_from_half",
    "other_alts_fraction",
    "depth_over_sample_depth",
    "putative_forward_share",
    "ref_forward_share",
    "putative_weaker_strand_log",
    "strand_bias_z",
    "putative_base_quality",
    "ref_base_quality",
    "putative_best_base_quality",
    "putative_quality_share",
    "putative_mapq",
    "ref_mapq",
    "putative_low_mapq_share",
    "low_mapq_share",
    "putative_distance_to_read_end",
    "ref_distance_to_read_end",
    "putative_near_read_end_share",
    "putative_other_mismatches",
    "ref_other_mismatches",
    "putative_clipped_share",
    "ref_clipped_share",
    "putative_distinct_starts_share",
    "putative_improper_pair_share",
    "ref_improper_pair_share",
    "log_likelihood_one_over_zero",
    "log_likelihood_two_over_one",
    "is_snv",
    "is_mnv",
    "is_insertion",
    "is_deletion",
    "is_transition",
    "extends_neighbouring_base",
    "inserted_log",
    "deleted_log",
    "asks_two_alleles",
    "alleles_at_site",
    "putative_over_commonest_alt",
    "repeat_length_log",
    "repeat_unit",
    "repeat_copies_log",
    "homopolymer_run_log",
    "expected_slippage_sqrt",
    "spanning_log",
    "spanning_ref_share",
    "spanning_putative_share",
    "spanning_one_unit_off_share",
    "spanning_other_share",
    "stutter_one_over_zero",
    "stutter_two_over_one",
    "neighbour_fraction_25",
    "neighbour_fraction_100",
    "neighbours_100",
    "nearest_neighbour_log",
    "gc_share_101",
    "sample_error_rate_log10",
    "sample_read_length",
    "sample_depth_log",
    "sample_slippage_12_14_sqrt",
)
N_FEATURES = len(FEATURES)
