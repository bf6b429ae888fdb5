"""What candidates the reads suggest: how many, of which type, seen how; for the realism report.

This matters most: a simulator is as good as the questions that its noise raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import nan

import numpy as np
from numpy.typing import NDArray

from varcall.evidence.features import FEATURES
from varcall.evidence.window import Evidence, WindowReads, gather
from varcall.reads.library_profile import LibraryProfile
from varcall.simulate.repeats import find_tracts
from varcall.simulate.report.chunk import MIN_MAPQ, Metrics, ratio, used_reads
from varcall.training.labels import TruthRecord, label_questions

TYPES = ("SNV", "MNV", "insertion", "deletion")
_TYPE_FEATURES = ("is_snv", "is_mnv", "is_insertion", "is_deletion")
VAF_STEPS = (0.0, 0.15, 0.2, 0.25, 0.35, 0.65, 0.9, 1.0)
FALSE_STEPS = (0.0, 0.25, 0.5, 1.0)
#: Below this share of reads a candidate is noise, where no truth says it.
NOISE_VAF = 0.25
#: `homopolymer_run_log` of a run of six bases (varcall.evidence.features).
_LONG_RUN_FEATURE = np.log1p(6) / 3.5
RUN_STEPS = ((6, 8), (9, 11), (12, 14), (15, 19), (20, 40))
#: Hets without truth: SNVs with this share, depth and MAPQ (of a sure one's).
_HET_VAF, _HET_DEPTH, _HET_MAPQ = (0.2, 0.8), 12, 0.83
#: Least mean base quality of them, in half standard deviations of the library's about its mean.
_HET_QUALITY_Z = -0.75
#: What is said of noisy candidates: feature, its name here, and the factor that undoes its scale.
_LOOKS = (
    ("putative_base_quality_z", "base quality, z of the library's", 2.0),
    ("putative_best_base_quality_z", "best base quality, z", 2.0),
    ("putative_mapq", "mean MAPQ of the sure one", 1.0),
    ("strand_bias_z", "strand bias, z", 5.0),
    ("putative_near_end_excess", "near a read end, over chance", 1.0),
    ("putative_mismatches", "mismatches of its reads, log ratio", 2.0),
    ("putative_clipped_excess", "in clipped reads, over the library's", 1.0),
    ("putative_improper_pair_excess", "in improper pairs, over the library's", 1.0),
    ("putative_distinct_starts", "distinct starts over chance", 1.0),
    ("putative_stack_share", "starting or ending at one base", 1.0),
    ("neighbours_100", "candidates within 100 bp", 10.0),
    ("low_mapq_share", "low mapping quality there", 1.0),
)


class CandidateTally:
    """Counts, VAF and looks of the candidates of chunks.

    Parameters
    ----------
    profile
        Of the sample, at the depth that the chunks have.
    with_truth
        Whether truth records will come with the chunks.
    """

    def __init__(self, profile: LibraryProfile, *, with_truth: bool) -> None:
        self._profile = profile
        self._with_truth = with_truth
        self._bases = 0
        self._features: list[NDArray[np.float32]] = []
        self._copies: list[NDArray[np.int64]] = []
        self._depths: list[NDArray[np.int64]] = []
        self._runs: dict[tuple[int, int], list[int]] = {step: [0, 0] for step in RUN_STEPS}

    def add(self, chunk: WindowReads, truth: Sequence[TruthRecord]) -> None:
        """Take the candidates that start in the chunk; `truth` may be empty."""
        batch = chunk.reads.subset(used_reads(chunk, MIN_MAPQ))
        self._bases += chunk.end - chunk.start
        evidence = gather(replace(chunk, reads=batch))
        # One question an ALT: pairs say nothing new here.
        single = np.bitwise_count(evidence.questions.alleles) == 1
        features = evidence.features(self._profile)[single]
        copies = np.full(len(evidence.questions.site), -1)
        if self._with_truth:
            labels = label_questions(evidence.sites, evidence.questions, truth, chunk.reference)
            copies = np.where(labels.certain, labels.copies, -1)
        self._features.append(features)
        self._copies.append(copies[single])
        shown = evidence.observations
        fragments = np.append(0, np.cumsum(shown.counts))[shown.offset]
        self._depths.append(np.diff(fragments)[evidence.questions.site[single]])
        self._add_runs(chunk, evidence, features, single)

    def _add_runs(
        self,
        chunk: WindowReads,
        evidence: Evidence,
        features: NDArray[np.float32],
        single: NDArray[np.bool_],
    ) -> None:
        """Count homopolymers with and without a noisy indel candidate."""
        column = {name: features[:, index] for index, name in enumerate(FEATURES)}
        noisy = (column["is_snv"] + column["is_mnv"] == 0) & (
            column["putative_fraction"] < NOISE_VAF
        )
        starts = evidence.sites.start[evidence.questions.site[single]][noisy]
        tracts = find_tracts(chunk.reference.codes)
        for low, high, unit in zip(tracts.start, tracts.end, tracts.unit, strict=True):
            at, length = int(low) + chunk.reference.start, int(high - low)
            if unit != 1 or not chunk.start <= at - 1 < chunk.end:
                continue
            for step in RUN_STEPS:
                if step[0] <= length <= step[1]:
                    self._runs[step][0] += bool((starts == at - 1).any())
                    self._runs[step][1] += 1

    def metrics(self) -> dict[str, Metrics]:
        """Sum up."""
        features = np.concatenate(self._features)
        copies = np.concatenate(self._copies)
        column = {name: features[:, index] for index, name in enumerate(FEATURES)}
        vaf = column["putative_fraction"]
        is_type = [column[name] > 0 for name in _TYPE_FEATURES]
        noisy = vaf < NOISE_VAF
        false = copies == 0
        result = {
            "candidates per Mb": self._rates(dict(zip(TYPES, is_type, strict=True))),
            "noise (VAF < 0.25) per Mb": self._rates(
                {name: chosen & noisy for name, chosen in zip(TYPES, is_type, strict=True)}
            ),
            "not in truth, per Mb": self._rates(
                {
                    f"{name}, VAF {low:.2f}-{high:.2f}": false & chosen & _within(vaf, low, high)
                    for name, chosen in zip(TYPES, is_type, strict=True)
                    for low, high in pairwise(FALSE_STEPS)
                }
            ),
        }
        if not self._with_truth:
            result["not in truth, per Mb"] = dict.fromkeys(result["not in truth, per Mb"], nan)
        is_indel = is_type[2] | is_type[3]
        for name, chosen in (("SNV", is_type[0]), ("indel", is_indel)):
            result[f"{name} candidates per Mb by VAF"] = self._rates(
                {
                    f"{low:.2f}-{high:.2f}": chosen & _within(vaf, low, high)
                    for low, high in pairwise(VAF_STEPS)
                }
            )
            result[f"noisy {name} candidates"] = _looks(column, chosen & noisy)
        result["homopolymers with a noisy indel"] = {
            f"run of {low}-{high}": ratio(*self._runs[low, high]) for low, high in RUN_STEPS
        }
        depth = np.concatenate(self._depths)
        result["het VAF"] = _hets(column, depth, is_type[0], is_indel, copies)
        return result

    def _rates(self, groups: dict[str, NDArray[np.bool_]]) -> Metrics:
        return {
            name: ratio(1e6 * int(chosen.sum()), self._bases) for name, chosen in groups.items()
        }


def _within(vaf: NDArray[np.float32], low: float, high: float) -> NDArray[np.bool_]:
    """Mark what lies in [low, high), or up to 1 where that is `high`."""
    return np.asarray((vaf >= low) & ((vaf < high) | (high == 1)))


def _looks(column: dict[str, NDArray[np.float32]], chosen: NDArray[np.bool_]) -> Metrics:
    """Mean of the features that tell noise from variants."""
    values = {name: column[feature][chosen] * scale for feature, name, scale in _LOOKS}
    values["strand bias, z"] = np.abs(values["strand bias, z"])
    forward = column["putative_forward_share"][chosen]
    values["on one strand only"] = (forward == 0) | (forward == 1)
    values["at a run of 6 or more"] = column["homopolymer_run_log"][chosen] >= _LONG_RUN_FEATURE
    return {name: ratio(float(shown.sum()), len(shown)) for name, shown in values.items()}


def _hets(
    column: dict[str, NDArray[np.float32]],
    depth: NDArray[np.int64],
    is_snv: NDArray[np.bool_],
    is_indel: NDArray[np.bool_],
    copies: NDArray[np.int64],
) -> Metrics:
    """Mean and spread of the VAF of hets: those of the truth, else the clear SNVs."""
    vaf = column["putative_fraction"].astype(np.float64)
    deep = depth >= _HET_DEPTH
    clear = is_snv & deep & (vaf >= _HET_VAF[0]) & (vaf <= _HET_VAF[1])
    clear &= column["putative_base_quality_z"] >= _HET_QUALITY_Z
    clear &= column["putative_mapq"] >= _HET_MAPQ
    result = {f"clear SNVs: {n}": v for n, v in _spread(vaf[clear], depth[clear]).items()}
    for name, chosen in (("SNV", is_snv), ("indel", is_indel)):
        true = chosen & deep & (copies == 1) & (column["alleles_at_site"] == 0.25)
        result |= {f"true {name}: {n}": v for n, v in _spread(vaf[true], depth[true]).items()}
    return result


def _spread(vaf: NDArray[np.float64], depth: NDArray[np.int64]) -> Metrics:
    if len(vaf) < 8:
        return {"mean": nan, "sd over binomial": nan, "share below 0.3": nan}
    binomial = float(np.sqrt((0.25 / depth).mean()))
    return {
        "mean": float(vaf.mean()),
        "sd over binomial": float(vaf.std()) / binomial,
        "share below 0.3": float((vaf < 0.3).mean()),
    }
