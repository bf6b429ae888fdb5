"""What a model without an error would reach on the candidates that it is asked about.

Usage: python -m benchmarks.ceiling [--history DIR] [--no-record]

The candidates of each real slice with certified truth are labelled as training labels them, each
site gets the genotype of its labels, and these calls are scored by the sequences that they spell.
What is missed then is no candidate, or none whose label is certain; so the true ceiling lies at or
above it. Once with local reassembly, and once with the reads as the mapper aligned them.
`benchmarks.results` says where the table is written.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.accuracy import EMPTY, POOLED
from benchmarks.calibration import cut_examples
from benchmarks.inputs.slices import SLICES, StagedSlice, require_data, stage
from benchmarks.results import add_options, report
from benchmarks.runs.callers import VARCALL
from benchmarks.runs.history import Table
from benchmarks.scores.exact_match import Counts
from benchmarks.scores.haplotype_match import haplotype_counts
from pileup.arrays import asked_alts
from varcall.evidence.candidates import spell_alleles
from varcall.evidence.window import DEFAULT_EVIDENCE, EvidenceOptions
from varcall.training.examples import make_examples
from varcall.training.spans import Span, load_span

WAYS = {"reassembled": DEFAULT_EVIDENCE, "as mapped": replace(DEFAULT_EVIDENCE, realign=None)}


def genotype(copies: list[int]) -> str | None:
    """Spell the genotype of a site by the copies of its ALTs; None without any.

    More than two copies are never spelled: the ALTs that come first keep theirs.
    """
    alleles = [number for number, count in enumerate(copies, 1) for _ in range(count)][:2]
    if not alleles:
        return None
    return "/".join(map(str, sorted([0] * (2 - len(alleles)) + alleles)))


def labelled_lines(span: Span, options: EvidenceOptions) -> Iterator[str]:
    """Yield a VCF line for each site of a span whose labels say that there is a variant."""
    examples = make_examples(span, 1.0, 0, options)
    evidence, labels = examples.questions.evidence, examples.labels
    copies: dict[int, dict[int, int]] = {}
    asked_of = evidence.questions.site.tolist(), evidence.questions.alleles.tolist()
    for site, mask, label in zip(*asked_of, labels.tolist(), strict=True):
        if len(asked := asked_alts(mask)) == 1:
            copies.setdefault(site, {})[asked[0]] = label
    for site, known in copies.items():
        ref, alts = spell_alleles(evidence.sites, site, span.window.reference)
        if called := genotype([known.get(alt, 0) for alt in range(len(alts))]):
            place = f"{span.window.reads.contig}\t{int(evidence.sites.start[site]) + 1}"
            yield f"{place}\t.\t{ref}\t{','.join(alts)}\t50\tPASS\t.\tGT\t{called}\n"


def write_labelled(staged: StagedSlice, examples: Path, options: EvidenceOptions) -> Path:
    """Write the labels of a slice's examples as calls; return the indexed VCF."""
    output = staged.reads.with_suffix(".labels.vcf.gz")
    header = (
        f"##fileformat=VCFv4.2\n##contig=<ID={staged.slice.contig}>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tlabels\n"
    )
    spans = map(load_span, sorted(examples.glob("*.safetensors")))
    lines = "".join(line for span in spans for line in labelled_lines(span, options))
    command = ["bcftools", "sort", "-Oz", "-o", str(output), "-"]
    subprocess.run(command, check=True, input=header + lines, capture_output=True, text=True)
    subprocess.run(["bcftools", "index", "-t", "-f", str(output)], check=True)
    return output


def ceilings(directory: Path) -> Table:
    """Score the labels of all slices with certified truth, both ways."""
    rows = []
    totals: dict[str, tuple[Counts, Counts]] = dict.fromkeys(WAYS, EMPTY)
    for item in (item for item in SLICES if item.confident is not None):
        staged = stage(item, directory)
        examples = staged.reads.with_suffix(".examples")
        cut_examples(staged, examples)
        for way, options in WAYS.items():
            calls = write_labelled(staged, examples, options)
            snp, indel = haplotype_counts(staged, calls, VARCALL.include)
            rows.append([item.name, way, str(snp), str(indel)])
            print(*rows[-1], sep=" | ", flush=True)
            if item.held_out:
                totals[way] = totals[way][0] + snp, totals[way][1] + indel
    rows += [[POOLED, way, str(snp), str(indel)] for way, (snp, indel) in totals.items()]
    return Table("candidates", ["slice", "reads", "SNP", "indel"], rows)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_options(parser)
    arguments = parser.parse_args()
    require_data()
    with tempfile.TemporaryDirectory(prefix="varcall-ceiling-") as temporary:
        table = ceilings(Path(temporary))
    report(arguments, "ceiling", "A model without an error on the same candidates", [table])


if __name__ == "__main__":
    main()
