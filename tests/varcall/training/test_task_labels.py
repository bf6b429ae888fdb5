"""The right answers to each task, of loci whose reads say where they come from."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pysam
import pytest

from models.tasks import SHARE, TASK_NAMES, TASKS
from pileup.spec import (
    ALLELES_PANEL,
    CENTRE,
    PAIRING_NONE,
    READS_PANEL,
    SECOND_NO,
    SECOND_UNKNOWN,
    SECOND_YES,
    SUPPORT_PUTATIVE,
    SUPPORT_REFERENCE,
    panel_top,
)
from tests.builders import REVERSE, spell_read, substitute
from tests.varcall.evidence.loci import CONTIG, Locus, sequence_with
from tests.varcall.training.cutting import cut_sample, unknown_origins
from varcall.evidence.window import gather
from varcall.simulate import SimulatedSample
from varcall.training.examples import (
    Examples,
    ExampleStream,
    Sampling,
    make_batch,
    make_examples,
    tasks_of,
)
from varcall.training.feature_model import measure_spans
from varcall.training.labels import Labeller
from varcall.training.make_examples import ExamplesOptions, run_examples
from varcall.training.origins import places_before
from varcall.training.spans import Span, load_span, save_span
from varcall.training.task_labels import (
    SHARE_BORDERS,
    Cause,
    Haplotype,
    Known,
    SameHaplotype,
    label_haplotypes,
    label_tasks,
    witnesses_of,
)

# The homopolymer is [300, 308), then plain sequence.
SEQUENCE = sequence_with("A" * 8 + "CGTTGACTCAGTCAGGCATCGATTACAGCTTGCA")
PLACE = 320
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


def test_labels_are_the_options_of_the_table() -> None:
    words = {
        "cause": "real slippage base wrong adapter contamination",
        "same_haplotype": "yes no cannot",
        "haplotype": "first second both neither cannot",
    }
    kinds = {"cause": Cause, "same_haplotype": SameHaplotype, "haplotype": Haplotype}
    for name, kind in kinds.items():
        assert len(kind) == len(TASKS[name].options)
        assert " ".join(option.split()[0] for option in TASKS[name].options) == words[name]
    assert [share.strip() for share in SHARE.options] == [
        "under 10%", "10-35%", "35-65%", "65-90%", "over 90%",
    ]  # fmt: skip
    assert len(SHARE_BORDERS) + 1 == len(SHARE.options)


class Sample:
    """Reads over one locus, each with a molecule, and the truth of two people."""

    def __init__(self, folder: Path) -> None:
        self.locus = Locus(folder, SEQUENCE)
        self.folder = folder
        self.records: list[tuple[int, str, str, str, str]] = []

    def reads(
        self,
        count: int,
        molecule: int | None,
        changes: Sequence[int] = (),
        *,
        start: int = 290,
        cigar: str = "60M",
        true_start: int | None = None,
        artefact: int = 0,
    ) -> "Sample":
        """Add like reads, with another base at some places; None makes real ones."""
        other = {place - start: OTHER[SEQUENCE[place]] for place in changes}
        for copy in range(count):
            tags = {"mo": molecule, "tp": start if true_start is None else true_start}
            tags["ak"] = artefact
            self.locus.reads.add(
                start=start,
                cigar=cigar,
                seq=substitute(spell_read(SEQUENCE, start, cigar), other),
                flag=REVERSE if copy % 2 else 0,
                tags=[] if molecule is None else [f"{k}:i:{v}" for k, v in tags.items()],
            )
        return self

    def truth(
        self, place: int, mine: str, theirs: str = "0|0", alleles: tuple[str, str] | None = None
    ) -> "Sample":
        """Add a truth record: an SNV with the base that `reads` puts there, if not told."""
        ref, alt = alleles or (SEQUENCE[place], OTHER[SEQUENCE[place]])
        self.records.append((place, ref, alt, mine, theirs))
        return self

    def span(self, *, contamination: float = 0.0) -> Span:
        """Cut the whole locus."""
        lines = ["##fileformat=VCFv4.3", f"##contig=<ID={CONTIG},length={len(SEQUENCE)}>"]
        lines.append('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">')
        columns = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT person contaminant"
        lines.append("\t".join(columns.split()))
        for place, ref, alt, *genotypes in sorted(self.records):
            line = [CONTIG, str(place + 1), ".", ref, alt, ".", ".", ".", "GT", *genotypes]
            lines.append("\t".join(line))
        path = self.folder / "truth.vcf"
        path.write_text("\n".join(lines) + "\n")
        truth = Path(pysam.tabix_index(str(path), preset="vcf", force=True))
        reads = self.locus.write()
        reads.with_suffix(".json").write_text(
            f'{{"library": {{"contamination": {contamination}}}}}'
        )
        output = self.folder / "examples"
        run_examples(
            ExamplesOptions(reference=self.locus.reference, output=output, reads=reads, truth=truth)
        )
        (found,) = output.iterdir()
        return load_span(found)

    def examples(self, **about: float) -> Examples:
        """Label everything."""
        return make_examples(self.span(**about), 1.0, 0, tasks=TASK_NAMES)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return Sample(tmp_path)


def answers(examples: Examples, task: str) -> Mapping[int, int]:
    """Return the label of each question of a task, by its site's start."""
    found, evidence = examples.tasks[task], examples.questions.evidence
    starts = evidence.sites.start[evidence.questions.site[found.question]]
    return dict(zip(starts.tolist(), found.labels.tolist(), strict=True))


@pytest.mark.parametrize(
    ("about", "cause"),
    [
        ({"molecule": 0}, Cause.BASE_ERRORS),
        ({"molecule": 0, "artefact": 4}, Cause.BASE_ERRORS),
        ({"molecule": 0, "artefact": 1}, Cause.ADAPTER),
        ({"molecule": 1, "artefact": 2}, Cause.ADAPTER),
        ({"molecule": 1, "true_start": 9000}, Cause.WRONG_MAPPING),
        ({"molecule": 3, "true_start": -1}, Cause.WRONG_MAPPING),
        ({"molecule": 2}, Cause.BASE_ERRORS),
    ],
)
def test_causes_of_what_the_person_does_not_have(
    sample: Sample, about: dict[str, int], cause: Cause
) -> None:
    molecule = about.pop("molecule")
    sample.reads(12, 0).reads(6, molecule, [PLACE], **about)
    assert answers(sample.examples(), "cause") == {PLACE: cause}


@pytest.mark.parametrize(("start", "cause"), [(PLACE - 40, 4), (PLACE - 80, 2)])
def test_an_adapter_at_the_end_of_a_read_explains_nothing_far_from_it(
    sample: Sample, start: int, cause: int
) -> None:
    sample.reads(12, 0).reads(6, 1, [PLACE], start=start, cigar="160M", artefact=2)
    assert answers(sample.examples(), "cause") == {PLACE: Cause(cause)}


def test_another_person_is_the_cause_of_what_that_person_has(sample: Sample) -> None:
    sample.reads(12, 0).reads(6, 2, [PLACE]).truth(PLACE, "0|0", "0|1")
    assert answers(sample.examples(contamination=0.3), "cause") == {PLACE: Cause.CONTAMINATION}


def test_a_variant_of_the_person_is_real_whoever_else_shows_it(sample: Sample) -> None:
    sample.reads(12, 0).reads(6, 3, [PLACE]).truth(PLACE, "0|1")
    assert answers(sample.examples(), "cause") == {PLACE: Cause.REAL}


def test_an_indel_of_a_repeat_is_slippage(sample: Sample) -> None:
    sample.reads(12, 0, start=270).reads(6, 1, start=270, cigar="33M1D40M")
    assert answers(sample.examples(), "cause") == {299: Cause.SLIPPAGE}


def test_an_indel_elsewhere_is_no_slippage(sample: Sample) -> None:
    sample.reads(12, 0, start=270).reads(6, 1, start=270, cigar="55M3D40M")
    (cause,) = answers(sample.examples(), "cause").values()
    assert cause == Cause.BASE_ERRORS


def test_a_mixture_has_no_cause(sample: Sample) -> None:
    sample.reads(12, 0).reads(4, 0, [PLACE]).reads(4, 3, [PLACE])
    examples = sample.examples()
    assert answers(examples, "cause") == {}
    assert answers(examples, "copies") == {PLACE: 0}


def test_reads_near_an_indel_of_the_truth_may_be_misaligned(sample: Sample) -> None:
    sample.reads(12, 0).reads(6, 0, [PLACE])
    sample.truth(PLACE + 20, "1|1", alleles=(SEQUENCE[PLACE + 20 :][:3], SEQUENCE[PLACE + 20]))
    sample.reads(12, 0, start=305, cigar="36M2D40M")
    found = answers(sample.examples(), "cause")
    assert PLACE not in found
    assert Cause.REAL in found.values()


@pytest.mark.parametrize(
    ("mine", "theirs", "contamination", "share"),
    [
        ("0|0", "0|0", 0.0, 0),
        ("0|1", "0|0", 0.0, 2),
        ("1|1", "0|0", 0.0, 4),
        ("0|0", "1|1", 0.2, 1),
        ("1|1", "0|0", 0.2, 3),
        ("0|0", "0|1", 0.2, None),
    ],
)
def test_shares_of_molecules(
    sample: Sample, mine: str, theirs: str, contamination: float, share: int | None
) -> None:
    sample.reads(12, 0).reads(6, 1, [PLACE]).truth(PLACE, mine, theirs)
    expected = {} if share is None else {PLACE: share}
    assert answers(sample.examples(contamination=contamination), "share") == expected


def test_nobody_knows_the_share_where_a_copy_is_hidden(sample: Sample) -> None:
    sample.reads(12, 0).reads(6, 1, [PLACE]).reads(6, 3).truth(PLACE, "0|1")
    assert answers(sample.examples(), "share") == {}


@pytest.mark.parametrize(
    ("count", "molecule", "genotype", "misled"),
    [
        (6, 3, "0|0", True),
        (2, 3, "0|0", False),
        (6, 3, "0|1", False),
        (6, 0, "0|0", False),
        (6, 103, "0|0", False),
        (6, None, "0|0", False),
    ],
)
def test_a_hidden_copy_misleads_where_many_reads_show_it(
    sample: Sample, count: int, molecule: int | None, genotype: str, misled: bool
) -> None:
    """Not where few do, where the person has the allele too, nor where other things are why."""
    sample.reads(12, 0).reads(count, molecule, [PLACE]).truth(PLACE, genotype)
    examples = sample.examples()
    assert examples.misled.tolist() == [misled]
    weight = {True: np.float32(0.02), False: np.float32(1)}[misled]
    rows = np.zeros(1, np.int64)
    assert examples.weights_of("copies", rows, 0.02).tolist() == [weight]
    assert examples.weights_of("cause", rows, 0.02).tolist() == [1]


@pytest.mark.parametrize(("contamination", "misled"), [(0.3, True), (0.05, False)])
def test_another_person_misleads_in_a_library_full_of_them(
    sample: Sample, contamination: float, misled: bool
) -> None:
    sample.reads(12, 0).reads(6, 2, [PLACE]).truth(PLACE, "0|0")
    assert sample.examples(contamination=contamination).misled.tolist() == [misled]


def test_a_hidden_copy_of_the_reference_misleads_where_the_person_has_none(sample: Sample) -> None:
    sample.reads(12, 0, [PLACE]).reads(8, 3).truth(PLACE, "1|1")
    assert sample.examples().misled.tolist() == [True]


def test_what_misleads_counts_less_in_every_pass(sample: Sample, tmp_path: Path) -> None:
    sample.reads(12, 0, [PLACE + 11]).reads(8, 3, [PLACE]).truth(PLACE + 11, "1|1")
    path = tmp_path / "misled.safetensors"
    save_span(sample.span(), path)
    sampling = Sampling(buffer_size=64, min_depth=60, variant_share=1, misled_weight=0.25)
    (ordered,) = ExampleStream((path,), 8, None, misled_weight=0.25)(0, 1, 1, 0)
    drawn = next(ExampleStream((path,), 64, sampling)(0, 1, 1, 0))
    table = measure_spans((path,), sampling, 1, 1)
    for found in (ordered, drawn, table):
        assert {0.25} == set(found.weights[found.labels == 0].tolist())


def pairs(examples: Examples) -> set[tuple[int, int, int]]:
    """Return (start asked about, start of the other, label) of all pairs."""
    found, evidence = examples.tasks["same_haplotype"], examples.questions.evidence
    starts = evidence.sites.start[evidence.questions.site]
    columns = starts[found.question], starts[found.other], found.labels
    return set(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize(
    ("genotypes", "label"),
    [(("0|1", "0|1"), SameHaplotype.YES), (("0|1", "1|0"), SameHaplotype.NO)],
)
def test_two_variants_of_one_picture(
    sample: Sample, genotypes: tuple[str, str], label: SameHaplotype
) -> None:
    places = PLACE, PLACE + 11
    on_second = list(places) if label == SameHaplotype.YES else [places[0]]
    sample.reads(8, 1, on_second).reads(8, 0, [p for p in places if p not in on_second])
    for place, genotype in zip(places, genotypes, strict=True):
        sample.truth(place, genotype)
    assert pairs(sample.examples()) == {(*places, label), (*places[::-1], label)}


def test_pictures_of_two_variants_show_who_has_the_other(sample: Sample) -> None:
    """Of reads with both alleles, one of them, none, and of reads that end before the other."""
    places = PLACE, PLACE + 20
    sample.reads(5, 1, places).reads(4, 1, places[:1]).reads(3, 0, places[1:]).reads(6, 0)
    sample.reads(2, 0, start=PLACE - 40).truth(places[0], "0|1").truth(places[1], "0|1")
    examples = sample.examples()
    found, evidence = examples.tasks["same_haplotype"], examples.questions.evidence
    starts = evidence.sites.start[evidence.questions.site]
    (row,) = np.flatnonzero(starts[found.question] == PLACE)
    (image,) = make_batch(examples, "same_haplotype", np.array([row])).images
    support = image[panel_top(ALLELES_PANEL) :, CENTRE, 1][:20]
    second = image[panel_top(READS_PANEL) :, CENTRE, 1][:20]
    seen = Counter(zip(support.tolist(), second.tolist(), strict=True))
    assert seen == {
        (SUPPORT_PUTATIVE, SECOND_YES): 5,
        (SUPPORT_PUTATIVE, SECOND_NO): 4,
        (SUPPORT_REFERENCE, SECOND_YES): 3,
        (SUPPORT_REFERENCE, SECOND_NO): 6,
        (SUPPORT_REFERENCE, SECOND_UNKNOWN): 2,
    }
    # The picture of one variant says nothing of the other.
    (alone,) = make_batch(examples, "copies", found.question[[row]]).images
    assert set(alone[panel_top(READS_PANEL) :, CENTRE, 1][:20].tolist()) == {PAIRING_NONE}


def test_no_fragment_covers_both_variants(sample: Sample) -> None:
    places = PLACE, PLACE + 80
    for place in places:
        sample.reads(8, 1, [place], start=place - 30).reads(8, 0, start=place - 30)
        sample.truth(place, "0|1")
    label = SameHaplotype.UNTELLABLE
    assert pairs(sample.examples()) == {(*places, label), (*places[::-1], label)}


def test_unphased_and_far_variants_make_no_pairs(sample: Sample) -> None:
    sample.reads(8, 1, [PLACE, PLACE + 11]).reads(8, 0)
    sample.truth(PLACE, "0/1").truth(PLACE + 11, "0|1")
    sample.reads(8, 1, [PLACE + 150], start=PLACE + 120).reads(8, 0, start=PLACE + 120)
    sample.truth(PLACE + 150, "0|1")
    assert pairs(sample.examples()) == set()


def test_real_reads_are_asked_what_truth_tells(sample: Sample) -> None:
    places = PLACE, PLACE + 11
    sample.reads(8, None, places).reads(8, None)
    for place in places:
        sample.truth(place, "1|0")
    examples = sample.examples()
    assert set(examples.tasks) == {"copies", "same_haplotype", "haplotype"}
    assert {label for *_, label in pairs(examples)} == {SameHaplotype.YES}


@pytest.fixture(scope="module")
def span(small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory) -> Span:
    (path,) = cut_sample(small_sample, tmp_path_factory.mktemp("examples"))
    return load_span(path)


def test_origins_follow_reads_into_another_order(span: Span, small_sample: SimulatedSample) -> None:
    with pysam.AlignmentFile(str(small_sample.bam)) as bam:
        told = {
            (zlib.crc32((read.query_name or "").encode()), read.flag): read.get_tag("mo")
            for read in bam
        }
    before = span.window.reads.arrays
    reads = before.take(np.random.default_rng(1).permutation(len(before.flag)))
    origins = span.origins.take(places_before(before, reads))
    keys = zip(reads.name_hash.tolist(), reads.flag.tolist(), strict=True)
    assert origins.molecule.tolist() == [told[key] for key in keys]
    assert set(origins.molecule.tolist()) == {0, 1}
    assert (origins.true_start == reads.read_start).all()
    assert tasks_of(span) == TASK_NAMES


def known_of(span: Span, *, told: bool, flipped: bool, tagged: bool = True) -> Known:
    """Return what is known when the caller finds the person's haplotypes, in some order."""
    evidence = gather(span.window)
    labels = Labeller(evidence.sites, evidence.questions, span.window.reference).label(span.truth)
    chosen = np.flatnonzero(labels.certain)
    evidence, labels = evidence.about(chosen), labels.about(chosen)
    origins = span.origins.take(places_before(span.window.reads.arrays, evidence.reads))
    molecule = origins.molecule[evidence.observations.read]
    haplotypes = np.where(flipped, 2 - molecule, 1 + molecule).astype(np.int8)
    return Known(
        evidence=evidence,
        labels=labels,
        truth=span.truth,
        origins=origins if told else unknown_origins(len(origins.molecule)),
        misplaced=np.zeros(len(origins.molecule), bool),
        haplotypes=haplotypes if tagged else np.zeros_like(haplotypes),
    )


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("flipped", [False, True])
def test_which_of_the_callers_haplotypes_carries_a_variant(
    span: Span, *, told: bool, flipped: bool
) -> None:
    """By where the reads come from, or by the phased variants that they show."""
    known = known_of(span, told=told, flipped=flipped)
    found = label_haplotypes(known, witnesses_of(known.evidence))
    second = known.labels.present[1, known.first_alt] != flipped
    is_het = (known.labels.copies == 1) & known.is_single
    expected = np.where(second, Haplotype.SECOND, Haplotype.FIRST)
    assert (found[is_het] == expected[is_het]).sum() >= 0.7 * is_het.sum() > 5
    assert np.isin(found[is_het], [*set(expected.tolist()), -1, Haplotype.UNTELLABLE]).all()
    wrong = is_het & np.isin(found, [0, 1]) & (found != expected)
    assert not wrong.any()
    is_hom = (known.labels.copies == 2) & known.is_single
    assert is_hom.any()
    assert (found[is_hom] == Haplotype.BOTH).all()


def test_without_haplotypes_of_reads_nobody_can_tell(span: Span) -> None:
    known = known_of(span, told=True, flipped=False, tagged=False)
    found = label_tasks(known, ["haplotype"])["haplotype"]
    assert set(found.labels.tolist()) <= {
        Haplotype.BOTH,
        Haplotype.NEITHER,
        Haplotype.UNTELLABLE,
    }
    assert (found.labels == Haplotype.UNTELLABLE).sum() > 5


def test_reads_that_are_left_keep_their_own_origins(sample: Sample) -> None:
    sample.reads(40, 0).reads(30, 3, [PLACE], start=285).reads(40, 1, start=275)
    thin = make_examples(sample.span(), 0.5, 3, tasks=TASK_NAMES)
    assert len(thin.questions.evidence.reads.flag) < 80
    assert answers(thin, "cause") == {PLACE: Cause.WRONG_MAPPING}
