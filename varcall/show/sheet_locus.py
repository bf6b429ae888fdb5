"""One record of a VCF as the caller sees it: candidates, questions, answers and calls around it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.candidates.count import count_alleles
from varcall.evidence.features import FEATURES
from varcall.evidence.window import Evidence
from varcall.genotyping.questions import Questions
from varcall.inputs.regions import Region
from varcall.scoring.vcf_records import Record
from varcall.show.viewer import Asked, Viewer, distances, questions_of
from varcall.training.labels import label_questions, read_truth
from varcall.workers.window_worker import Worker

#: Candidates so far from the VCF's record are looked for; calls so near are shown.
NEAR, CALLED_NEAR = 100, 20
#: Sites shown where no candidate has the VCF's allele, and pictures of a locus.
MAX_NEAREST, MAX_PICTURES = 2, 3
#: Indels of reads so far from the VCF's POS are counted, the commonest ones.
_INDEL_DISTANCE, _MAX_INDELS = 5, 4
#: The features shown of every candidate, and of an indel.
SHOWN_FEATURES = (
    "putative_fraction", "putative_base_quality_z", "putative_best_base_quality_z",
    "putative_mapq", "low_mapq_share", "strand_bias_z", "putative_near_end_excess",
    "putative_mismatches_over_ref", "putative_clipped_excess", "clip_pile_share",
    "putative_stack_share", "depth_over_sample_depth",
    "neighbours_100", "homopolymer_run_log", "log_likelihood_one_over_zero",
    "log_likelihood_two_over_one",
)  # fmt: skip
SHOWN_OF_INDELS = (
    "repeat_length_log", "repeat_unit", "expected_slippage_sqrt", "spanning_log",
    "spanning_ref_share", "spanning_putative_share", "spanning_one_unit_off_share",
    "stutter_one_over_zero", "stutter_two_over_one",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with the copies that the VCF says (None where that is not known)."""

    asked: Asked
    copies: int | None

    @property
    def shown(self) -> dict[str, float]:
        """The features that matter, by name."""
        alleles = self.asked.alleles
        is_indel = any(len(alt) != len(alleles.ref) for alt in alleles.alts)
        names = (*SHOWN_FEATURES, *SHOWN_OF_INDELS) if is_indel else SHOWN_FEATURES
        values = dict(zip(FEATURES, self.asked.features.tolist(), strict=True))
        return {name: values[name] for name in names}


@dataclass(frozen=True, slots=True)
class Called:
    """A record that `varcall call` writes here; its fields as in the VCF."""

    pos: int
    ref: str
    alts: str
    qual: str
    filter: str
    genotype: dict[str, str]


@dataclass(frozen=True, slots=True)
class SheetLocus:
    """All that is shown of one record of the VCF.

    Attributes
    ----------
    contig
        Where it lies.
    record, genotype
        The record, and its GT as written.
    is_candidate
        Whether the VCF's allele(s) were among the candidates; None where it calls none.
    judged
        The questions of the sites that are shown, in order.
    counts
        Reads by allele at those sites, one line a site.
    seen
        What the reads show at the record's position.
    called
        Records called nearby.
    """

    contig: str
    record: Record
    genotype: str
    is_candidate: bool | None
    judged: tuple[Judged, ...]
    counts: tuple[str, ...]
    seen: str
    called: tuple[Called, ...]

    @property
    def title(self) -> str:
        """The site and its alleles, POS 1-based."""
        return (
            f"{self.contig}:{self.record.start + 1:,} "
            f"{_brief(self.record.ref)}>{','.join(map(_brief, self.record.alts)) or '.'}"
        )

    @property
    def verdict(self) -> str:
        """One sentence on whether the model was asked about the VCF's allele."""
        if self.is_candidate is None:
            return "The VCF calls no ALT here; the candidates are the nearest."
        if self.is_candidate:
            return "The VCF's allele is among the candidates."
        if self.judged:
            return "The VCF's allele is NOT among the candidates; the nearest are shown."
        return f"The VCF's allele is NOT among the candidates, and none lies within {NEAR} bp."

    @property
    def pictures(self) -> tuple[Judged, ...]:
        """The questions whose images are shown: the VCF's alleles first, singles before pairs."""
        ordered = sorted(
            self.judged, key=lambda item: (not item.copies, len(item.asked.alleles.alts))
        )
        wanted = [item for item in ordered if item.copies or len(item.asked.alleles.alts) == 1]
        return tuple(wanted[:MAX_PICTURES])


def _brief(allele: str) -> str:
    return allele if len(allele) <= 24 else f"{allele[:6]}…{allele[-6:]} ({len(allele)} bp)"


def look_at(viewer: Viewer, caller: Worker, contig: str, record: Record, vcf: Path) -> SheetLocus:
    """Look at a record's locus.

    Parameters
    ----------
    caller
        Calls what is around.
    vcf
        The indexed file that the record is from; its first sample's genotype counts.
    """
    low, high = max(0, record.start - NEAR), record.end + NEAR
    questions = viewer.look(Region(contig, low, high))
    evidence = questions.evidence
    copies = _copies(viewer, evidence, contig, record, vcf)
    found = np.zeros(0, np.int64) if copies is None else np.flatnonzero(copies > 0)
    shown = _shown_sites(questions, record, found)
    chosen = questions_of(questions, shown)
    judged = [
        Judged(asked, None if copies is None else int(copies[index]))
        for index, asked in zip(chosen.tolist(), viewer.ask(questions, chosen), strict=True)
    ]
    return SheetLocus(
        contig=contig,
        record=record,
        genotype=_genotype(record),
        is_candidate=None if copies is None else len(found) > 0,
        judged=tuple(judged),
        counts=tuple(_counts(evidence, shown)),
        seen=_seen(evidence, record),
        called=tuple(_called(caller, contig, record)),
    )


def _genotype(record: Record) -> str:
    """GT of the first sample as written."""
    if len(record.fields) < 10 or "GT" not in record.fields[8].split(":"):
        return "."
    return record.fields[9].split(":")[record.fields[8].split(":").index("GT")]


def _copies(
    viewer: Viewer, evidence: Evidence, contig: str, record: Record, vcf: Path
) -> NDArray[np.int64] | None:
    """Copies that the record says of each question's alleles, -1 where its spelling leaves it open.

    None where the record's genotype has no ALT, or one that is not known.
    """
    length = viewer.reference.length(contig)

    def fetch(start: int, end: int) -> str:
        return viewer.reference.fetch_string(contig, max(0, start), min(end, length))

    truth = [
        said
        for said in read_truth(vcf, contig, record.start, record.end, fetch)
        if (said.start, said.end) == (record.start, record.end) and (said.first or said.second)
    ]
    if not truth:
        return None
    labels = label_questions(evidence.sites, evidence.questions, truth, evidence.scan.reference)
    return np.where(labels.certain, labels.copies, -1)


def _shown_sites(
    questions: Questions, record: Record, found: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Return the sites with the VCF's alleles, or the nearest ones."""
    if len(found):
        return np.unique(questions.site[found])
    sites = np.unique(questions.site)
    order = np.argsort(distances(questions.evidence, sites, record.start), kind="stable")
    return np.sort(sites[order[:MAX_NEAREST]])


def _counts(evidence: Evidence, shown: NDArray[np.int32]) -> Iterator[str]:
    """Spell the witnesses of each allele of the shown sites."""
    counts = count_alleles(evidence.reads, evidence.sites, evidence.observations)
    for site in shown.tolist():
        ref, alts = evidence.alleles(site)
        column = int(evidence.sites.alt_offset[site]) + site
        forward, reverse = counts[:, column : column + len(alts) + 1].tolist()
        alleles = ", ".join(
            f"{_brief(allele)} {plus + minus} ({plus}+ {minus}-)"
            for allele, plus, minus in zip((ref, *alts), forward, reverse, strict=True)
        )
        yield f"{int(evidence.sites.start[site]) + 1:,}: {alleles}"


def _seen(evidence: Evidence, record: Record) -> str:
    """Spell the bases at the record's POS and the indels beside it, candidates or not."""
    column = record.start - evidence.scan.reference.start
    bases = evidence.scan.counts.base_counts[column].tolist()
    depth = int(evidence.scan.counts.depth[column])
    events = evidence.scan.events
    anchors = events.anchor[: events.offset[-1]]
    near = np.flatnonzero(np.abs(anchors - record.start) <= _INDEL_DISTANCE)
    indels = Counter(
        f"{int(anchors[i]) + 1:,} {'+' if events.inserted[i] else '-'}"
        f"{int(events.inserted[i] or events.deleted[i])}"
        for i in near
    )
    counted = ", ".join(f"{letter} {count}" for letter, count in zip("ACGT", bases, strict=True))
    shown = ", ".join(f"{name} bp ×{count}" for name, count in indels.most_common(_MAX_INDELS))
    return f"{counted}; depth {depth}; indels within {_INDEL_DISTANCE} bp: {shown or 'none'}"


def _called(caller: Worker, contig: str, record: Record) -> Iterator[Called]:
    low, high = max(0, record.start - CALLED_NEAR), record.end + CALLED_NEAR
    for line in caller.call(Region(contig, low, high)).lines:
        fields = line.rstrip("\n").split("\t")
        yield Called(
            pos=int(fields[1]),
            ref=fields[3],
            alts=fields[4],
            qual=fields[5],
            filter=fields[6],
            genotype=dict(zip(fields[8].split(":"), fields[9].split(":"), strict=True)),
        )
