"""What is measured of a candidate: the model's third modality, beside picture and words."""

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.measure import measure_questions, site_fractions
from varcall.candidates import Scan, Sites
from varcall.observations import Observations, Questions
from varcall.profile import LibraryProfile
from varcall.reads import ReadBatch

# In the order of pileup.kernels.measure. "putative" reads show the allele(s) asked about,
# "ref" reads REF; counts are of fragments; log(x) is log(1 + x), scaled to about one.
FEATURES = (
    "depth_log",
    "putative_log",
    "ref_log",
    "other_log",
    "uninformative_log",
    "putative_fraction",
    "ref_fraction",
    "other_fraction",
    "depth_over_sample_depth",
    "putative_forward_share",
    "ref_forward_share",
    "putative_weaker_strand_log",
    "strand_bias_z",
    "putative_base_quality",
    "ref_base_quality",
    "putative_best_base_quality",
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
    "inserted_log",
    "deleted_log",
    "asks_two_alleles",
    "alleles_at_site",
    "putative_over_commonest_alt",
    "repeat_length_log",
    "repeat_unit",
    "repeat_copies_log",
    "homopolymer_run_log",
    "spanning_log",
    "spanning_ref_share",
    "spanning_putative_share",
    "spanning_one_unit_off_share",
    "spanning_other_share",
    "stutter_one_over_zero",
    "stutter_two_over_one",
    "expected_slippage_sqrt",
    "neighbour_fraction_25",
    "neighbour_fraction_100",
    "neighbours_100",
    "nearest_neighbour_log",
    "gc_share_101",
    "extends_neighbouring_base",
    "sample_error_rate_log10",
    "sample_read_length",
    "sample_depth_log",
    "other_alts_fraction",
    "putative_quality_share",
    "distance_from_half",
    "sample_slippage_12_14_sqrt",
)
N_FEATURES = len(FEATURES)


def measure(
    reads: ReadBatch,
    scan: Scan,
    sites: Sites,
    observations: Observations,
    questions: Questions,
    profile: LibraryProfile,
) -> NDArray[np.float32]:
    """Return float32 [q, N_FEATURES]; every value is finite and about unit scale."""
    fractions = np.zeros(len(sites), np.float32)
    site_fractions(observations.offset, observations.allele, observations.counts, fractions)
    features = np.zeros((len(questions), N_FEATURES), np.float32)
    measure_questions(
        questions.site,
        questions.alleles,
        scan.reference,
        scan.reference_start,
        reads.read_start,
        reads.read_end,
        reads.mapq,
        reads.flag,
        scan.mismatches,
        scan.clipped,
        sites.start,
        sites.kind,
        sites.ref_length,
        sites.repeat_end,
        sites.alt_offset,
        sites.alt_deleted,
        sites.alt_inserted,
        sites.alt_base_offset,
        sites.alt_bases,
        observations.offset,
        observations.read,
        observations.allele,
        observations.quality,
        observations.delta,
        observations.counts,
        fractions,
        float(profile.depth),
        float(profile.read_length),
        float(profile.error_rate),
        np.asarray(profile.slippage, np.float64),
        features,
    )
    return features
