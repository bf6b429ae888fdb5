"""The truth of a spiked sample: the real truth's records and the spiked ones in one VCF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from varcall.errors import InputError
from varcall.simulate.edits import PhasedEdits, read_truth, write_truth
from varcall.simulate.spike.editing import Stretch
from varcall.simulate.spike.placing import Spiked

#: Phase set of records whose truth names none.
_NO_SET = "."


@dataclass(frozen=True, slots=True)
class RealRecord:
    """One record of the real truth; `phase_set` is None where it is not phased."""

    contig: str
    start: int
    alleles: tuple[str, ...]
    genotype: tuple[int | None, ...]
    phase_set: str | None

    @property
    def end(self) -> int:
        """What REF covers ends here, 0-based half-open."""
        return self.start + len(self.alleles[0])


def real_records(vcf: Path, stretch: Stretch) -> list[RealRecord]:
    """The records of a truth VCF in a stretch, its first sample's.

    Raises
    ------
    InputError
        If the VCF cannot be read by region, has no sample, or is of another reference.
    """
    # This says what is wrong with a truth; what it leaves out is kept below.
    read_truth(vcf, stretch.contig, stretch.start, stretch.end, stretch.bases, stretch.start)
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(vcf)) as file:
            if stretch.contig not in file.header.contigs:
                return []
            return [
                _real_record(record)
                for record in file.fetch(stretch.contig, stretch.start, stretch.end)
                if stretch.start <= record.start and record.stop <= stretch.end
            ]
    except (OSError, ValueError) as error:
        raise InputError(f"{vcf} cannot be read by region: index it with tabix -p vcf") from error
    finally:
        pysam.set_verbosity(verbosity)


def _real_record(record: pysam.VariantRecord) -> RealRecord:
    call = record.samples[0]
    named = str(call.get("PS") or _NO_SET)
    return RealRecord(
        record.chrom,
        record.start,
        tuple(record.alleles or ()),
        tuple(call.allele_indices or (None,)),
        named if call.phased else None,
    )


def main_phase_set(records: Iterable[RealRecord]) -> str:
    """The phase set with the most heterozygous records; one set is all that a truth here has."""
    counts = Counter(
        r.phase_set for r in records if r.phase_set is not None and len(set(r.genotype)) > 1
    )
    return max(counts, key=lambda name: (counts[name], name)) if counts else _NO_SET


def phased_edits(
    vcf: Path, stretch: Stretch, records: Sequence[RealRecord], phase_set: str
) -> list[PhasedEdits]:
    """The edits of the records of one phase set."""
    found = read_truth(vcf, stretch.contig, stretch.start, stretch.end, stretch.bases,
                       stretch.start)  # fmt: skip
    chosen = {r.start for r in records if r.phase_set == phase_set}
    return [e for e in found if any(x.anchored_start in chosen for x in (*e.first, *e.second))]


def write_spiked_truth(
    path: Path,
    contigs: Sequence[tuple[str, int]],
    sample: str,
    real: Sequence[RealRecord],
    phase_set: str,
    spiked: Sequence[tuple[Stretch, Spiked]],
    scratch: Path,
) -> None:
    """Write the truth VCF, bgzipped and indexed; spiked records have SPIKED in INFO."""
    header = pysam.VariantHeader()
    header.add_line("##source=varcall spike")
    header.add_line('##INFO=<ID=SPIKED,Number=0,Type=Flag,Description="Spiked into real reads">')
    header.add_line('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">')
    for name, length in contigs:
        header.contigs.add(name, length=length)
    header.add_sample(sample)
    order = {name: rank for rank, (name, _) in enumerate(contigs)}
    found = []
    for record in real:
        one_set = record.phase_set == phase_set
        key = (order[record.contig], record.start, record.alleles)
        found.append((key, record.genotype, one_set, False))
    for number, (stretch, variants) in enumerate(spiked):
        part = scratch / f"spiked_{number}.vcf.gz"
        write_truth(part, contigs, stretch.contig, sample, variants.haplotypes, stretch.bases,
                    stretch.start)  # fmt: skip
        with pysam.VariantFile(str(part)) as file:
            for one in file:
                key = (order[one.chrom], one.start, tuple(one.alleles or ()))
                found.append((key, tuple(one.samples[0].allele_indices or ()), True, True))
    with pysam.VariantFile(str(path), "wz", header=header) as out:
        for (rank, start, alleles), genotype, is_phased, is_spiked in sorted(found, key=_place):
            made = out.new_record(contig=contigs[rank][0], start=start, alleles=alleles)
            made.samples[0].allele_indices = genotype
            made.samples[0].phased = is_phased
            if is_spiked:
                made.info["SPIKED"] = True
            out.write(made)
    pysam.tabix_index(str(path), preset="vcf", force=True)


def _place(
    record: tuple[tuple[int, int, tuple[str, ...]], tuple[int | None, ...], bool, bool],
) -> tuple[int, int, tuple[str, ...]]:
    return record[0]
