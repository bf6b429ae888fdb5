"""What a call set is checked by at a glance: each figure, what is usual, and who says so.

A light is green where the figure is usual, amber where it should be looked at, red where something
is very probably wrong, and grey where nothing can be said. None of them judges single variants.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf

from varcall.reads.library_profile import LibraryProfile
from varcall.reads.sex import FEMALE, MALE, UNKNOWN, SexEvidence
from varcall.report.depth import Depths
from varcall.report.tally import BLOCK, CallTally, median_of
from varcall.scoring.metrics import wilson


class State(StrEnum):
    """How a figure is; its value is the word on the page, which no reader needs a colour for."""

    GOOD = "usual"
    LOOK = "look at it"
    BAD = "not usual"
    UNKNOWN = "not judged"


@dataclass(frozen=True, slots=True)
class Light:
    """One figure.

    Attributes
    ----------
    name
        What is measured.
    value
        The figure as text; "-" without one.
    limits
        What is usual, and from where on it is not.
    source
        Where the limits come from.
    note
        What else to know; may be empty.
    """

    name: str
    state: State
    value: str
    limits: str
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Library:
    """What the reads say: the profile, depths, sex, and how they are unlike the training.

    `unusual` is None where the model's card does not say what it was trained on.
    """

    profile: LibraryProfile
    depths: Depths
    sex: SexEvidence
    unusual: str | None
    model: str


# Ranges of an interval that is compared: usual, and possible.
_TITV, _TITV_POSSIBLE = (1.9, 2.3), (1.6, 3.6)
_HET_HOM, _HET_HOM_POSSIBLE = (1.2, 2.3), (0.9, 3.0)
_PER_MB, _PER_MB_POSSIBLE = (1_100, 1_900), (800, 2_600)
#: Fewer bases are a few haplotypes, whose density and heterozygosity are their own.
MIN_SPAN = 5_000_000
_MIN_SNVS = 20
_DEEP, _SHALLOW = 20, 10
_DUPLICATES = (0.2, 0.5)
_REF_SHARE = (0.01, 0.025)
_MIN_HOM_READS = 300
_MIN_X = 100
# Of the SNVs of X that a female has half and more are heterozygous; a male has none but errors.
_MALE_HETS, _FEMALE_HETS = 0.15, 0.35


def lights_of(tally: CallTally, library: Library | None) -> list[Light]:
    """Judge a call set, and its reads where they were given."""
    return [
        _titv(tally),
        _het_hom(tally),
        _per_mb(tally),
        _depth(tally, library),
        _sex(tally, library),
        _contamination(tally),
        _duplicates(library),
        _known(library),
    ]


def _judge(
    low: float, high: float, usual: tuple[float, float], possible: tuple[float, float]
) -> State:
    """Judge an interval: good where it meets what is usual, bad where it misses what may be."""
    if low <= usual[1] and high >= usual[0]:
        return State.GOOD
    return State.LOOK if low <= possible[1] and high >= possible[0] else State.BAD


def ratio_interval(first: int, second: int) -> tuple[float, float]:
    """Return the 95 % interval of first / second, from Wilson's of first / (first + second).

    >>> tuple(round(bound, 2) for bound in ratio_interval(200, 100))
    (1.57, 2.54)
    """
    low, high = wilson(first, first + second)
    return low / (1 - low), high / (1 - high) if second else inf


def _titv(tally: CallTally) -> Light:
    changes, others = tally.total("transitions"), tally.total("transversions")
    limits = "1.9 to 2.3; 1.6 to 3.6 may be, in coding sequence"
    source = (
        "about 2.0 to 2.1 in human genomes, 2.8 to 3.3 in exomes (Wang et al. 2015, "
        "doi:10.1093/bioinformatics/btu668; GATK best practices); random errors have 0.5"
    )
    name = "Ti/Tv"
    if changes + others < _MIN_SNVS:
        return Light(name, State.UNKNOWN, _ratio(changes, others), limits, source, "too few SNVs")
    low, high = ratio_interval(changes, others)
    state = _judge(low, high, _TITV, _TITV_POSSIBLE)
    note = f"95 % interval {low:.2f} to {high:.2f}, of {changes + others:,} SNV alleles"
    return Light(name, state, _ratio(changes, others), limits, source, note)


def _het_hom(tally: CallTally) -> Light:
    het, hom = tally.total("het", autosomes=True), tally.total("hom", autosomes=True)
    limits = "1.2 to 2.3; 0.9 to 3 may be"
    source = (
        "2 in theory, about 1.4 to 2.0 by ancestry: least in East Asia, most in Africa (Wang et "
        "al. 2015, doi:10.1093/bioinformatics/btu668); contamination raises it, related parents "
        "lower it"
    )
    note = f"{het:,} heterozygous, {hom:,} homozygous, on autosomes"
    span = _span(tally, autosomes=True)
    if span < MIN_SPAN or not het + hom:
        note += f"; {_too_short(span)}"
        return Light("het/hom", State.UNKNOWN, _ratio(het, hom), limits, source, note)
    low, high = ratio_interval(het, hom)
    state = _judge(low, high, _HET_HOM, _HET_HOM_POSSIBLE)
    return Light("het/hom", state, _ratio(het, hom), limits, source, note)


def _per_mb(tally: CallTally) -> Light:
    span = _span(tally)
    rate = 1e6 * tally.variants / span if span else 0.0
    limits = "1,100 to 1,900; 800 to 2,600 may be"
    source = (
        "4.1 to 5.0 million sites of a genome differ from the reference (1000 Genomes Project "
        "2015, doi:10.1038/nature15393): 1,400 to 1,700 per Mb of 2.9 Gb"
    )
    note = f"{tally.variants:,} variants in {span / 1e6:,.2f} Mb (blocks of 10 kb with any)"
    if span < MIN_SPAN:
        note += f"; {_too_short(span)}"
        value = f"{rate:,.0f}" if span else "-"
        return Light("variants per Mb", State.UNKNOWN, value, limits, source, note)
    state = _judge(rate, rate, _PER_MB, _PER_MB_POSSIBLE)
    return Light("variants per Mb", state, f"{rate:,.0f}", limits, source, note)


def _depth(tally: CallTally, library: Library | None) -> Light:
    missed = [100 * _missed(depth) for depth in (_SHALLOW, _DEEP)]
    source = (
        f"Poisson counts: fewer than 3 reads of ALT at {missed[0]:.0f} % of heterozygous sites "
        f"at {_SHALLOW}x, at {missed[1]:.1f} % at {_DEEP}x"
    )
    limits = f"{_DEEP} and more; under {_SHALLOW} too few"
    if library is not None:
        depth, note = library.profile.depth, "median over the sequenced bases, without duplicates"
    elif tally.depths:
        depth, note = median_of(tally.depths), "median DP of the variants: no reads were given"
    else:
        return Light("depth", State.UNKNOWN, "-", limits, source, "no DP, and no reads were given")
    state = State.GOOD if depth >= _DEEP else State.LOOK if depth >= _SHALLOW else State.BAD
    return Light("depth", state, f"{depth:.0f}x", limits, source, note)


def _missed(depth: float) -> float:
    """Share of heterozygous sites of which fewer than 3 reads show ALT."""
    mean = depth / 2
    return exp(-mean) * (1 + mean + mean * mean / 2)


def _sex(tally: CallTally, library: Library | None) -> Light:
    limits = (
        "female: X as deep as the autosomes, hardly any reads of Y, hets on X; male: half as deep, "
        "reads of Y, no hets on X"
    )
    source = (
        "copies of X and Y (varcall call --sex auto); hets of X as in PLINK --check-sex (Chang et "
        "al. 2015, doi:10.1186/s13742-015-0047-8)"
    )
    signs = list(_sex_signs(tally, library))
    verdicts = {verdict for verdict, _ in signs if verdict != UNKNOWN}
    note = "; ".join(text for _, text in signs) or "X has too few diploid SNVs"
    if not verdicts:
        return Light("sex", State.UNKNOWN, "-", limits, source, note)
    if len(verdicts) > 1:
        return Light("sex", State.LOOK, "signs disagree", limits, source, note)
    return Light("sex", State.GOOD, verdicts.pop(), limits, source, note)


def _sex_signs(tally: CallTally, library: Library | None) -> Iterator[tuple[str, str]]:
    """Yield the sex that each sign tells, as `varcall.reads.sex` names it, and the sign itself."""
    if tally.origin.sex:
        yield tally.origin.sex, f"X and Y called as of a sample that is {tally.origin.sex}"
    if tally.x_snvs >= _MIN_X:
        share = tally.x_het / tally.x_snvs
        sex = FEMALE if share > _FEMALE_HETS else MALE if share < _MALE_HETS else UNKNOWN
        yield sex, f"{100 * share:.0f} % of {tally.x_snvs:,} diploid SNVs of X heterozygous"
    if library is not None:
        yield library.sex.sex, f"reads: {library.sex.why}"


def _contamination(tally: CallTally) -> Light:
    low, high = (f"{100 * share:g}" for share in _REF_SHARE)
    limits = f"under {low} %; over {high} % too many"
    source = (
        "REF reads at homozygous SNVs, as ContEst takes them (Cibulskis et al. 2011, "
        "doi:10.1093/bioinformatics/btr446): another person's share is about twice theirs, and 2 "
        "to 5 % of another person is where studies refuse samples"
    )
    name = "REF reads at 1/1 SNVs"
    if tally.hom_reads < _MIN_HOM_READS:
        note = f"needs {_MIN_HOM_READS:,} counted reads (AD) at homozygous SNVs"
        return Light(name, State.UNKNOWN, "-", limits, source, note)
    share = tally.hom_ref_reads / tally.hom_reads
    lower, _ = wilson(tally.hom_ref_reads, tally.hom_reads)
    state = State.GOOD
    if lower > _REF_SHARE[0]:
        state = State.LOOK if lower <= _REF_SHARE[1] else State.BAD
    note = (
        f"a hint of contamination, of {tally.hom_reads:,} reads; errors of reads and wrong "
        "mappings add to it"
    )
    return Light(name, state, f"{100 * share:.2f} %", limits, source, note)


def _duplicates(library: Library | None) -> Light:
    low, high = (f"{100 * share:.0f}" for share in _DUPLICATES)
    limits = f"under {low} %; over {high} % too many"
    source = "the limits of FastQC's duplicate module"
    if library is None:
        return Light("duplicates", State.UNKNOWN, "-", limits, source, "no reads were given")
    rate = library.profile.duplicate_rate
    if not rate:
        note = "no read is flagged: duplicates may never have been marked"
        return Light("duplicates", State.UNKNOWN, "0 %", limits, source, note)
    state = State.GOOD if rate < _DUPLICATES[0] else State.LOOK
    state = State.BAD if rate > _DUPLICATES[1] else state
    return Light("duplicates", state, f"{100 * rate:.1f} %", limits, source)


def _known(library: Library | None) -> Light:
    limits = "the library is like those of the training"
    source = "the model's card: kinds of libraries, lengths, depths and error rates it has seen"
    name = "known to the model"
    if library is None:
        return Light(name, State.UNKNOWN, "-", limits, source, "no reads were given")
    if library.unusual is None:
        note = f"the card of {library.model} does not say what it was trained on"
        return Light(name, State.UNKNOWN, "-", limits, source, note)
    if library.unusual:
        return Light(name, State.LOOK, "in part", limits, source, library.unusual)
    return Light(name, State.GOOD, "yes", limits, source, f"model {library.model}")


def _span(tally: CallTally, *, autosomes: bool = False) -> int:
    return BLOCK * tally.total("blocks", autosomes=autosomes)


def _too_short(span: int) -> str:
    return f"{span / 1e6:,.2f} Mb are too few to judge ({MIN_SPAN / 1e6:.0f} are needed)"


def _ratio(first: int, second: int) -> str:
    return f"{first / second:.2f}" if second else "-"
