"""What ploidy a run calls each base with: options, the sample's sex, and what is usual."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

from varcall.errors import UsageError
from varcall.formats.contig_names import unknown_contig
from varcall.inputs.open import Inputs
from varcall.inputs.ploidy import PloidyMap, read_par_bed, read_ploidy_bed
from varcall.inputs.reference import Reference
from varcall.inputs.regions import SHARED
from varcall.inputs.sex_chromosomes import (
    BUILDS,
    SexChromosome,
    Spans,
    find_x,
    find_y,
    is_mitochondrial,
)
from varcall.options import CallOptions
from varcall.reads.sex import FEMALE, MALE, UNKNOWN, measure_sex

_log = logging.getLogger(__name__)

_PROBED = 1000  # bases of a PAR that tell whether it is masked


@dataclass(frozen=True, slots=True)
class Ploidies:
    """The ploidy of every base, and what the header of the calls says of the sample's sex."""

    map: PloidyMap
    header: tuple[str, ...] = ()


def decide_ploidies(options: CallOptions, inputs: Inputs) -> Ploidies:
    """Put together what the options say of ploidy and what contigs and reads tell.

    Raises
    ------
    InputError
        A BED cannot be used.
    UsageError
        Two options contradict each other, or a male's PAR is not known.
    """
    bed = {}
    if options.ploidy_bed is not None:
        bed = read_ploidy_bed(options.ploidy_bed, inputs.contigs)
    contigs = {name: 1 for name, n in inputs.contigs.items() if is_mitochondrial(name, n)}
    for name in options.haploid_contigs:
        if name in bed:
            raise UsageError(
                f"--haploid-contigs and --ploidy-bed both say what the ploidy of {name!r} is: "
                "leave it out of one of them"
            )
        if name not in inputs.contigs:
            _log.warning("--haploid-contigs: %s", unknown_contig(name, inputs.contigs, SHARED))
        contigs[name] = 1
    if options.sex is None:
        return Ploidies(PloidyMap(options.ploidy, contigs, bed))
    x, y = find_x(inputs.header_contigs), find_y(inputs.header_contigs)
    for one in (x, y):
        for option, names in (("--haploid-contigs", contigs), ("--ploidy-bed", bed)):
            if one is not None and one.name in names:
                raise UsageError(
                    f"{option} and --sex both say what the ploidy of {one.name!r} is: leave it "
                    "out of one of them"
                )
    x, y = _with_par(options, inputs, x, y)
    sex, header = _sex(options, inputs, x, y)
    sexed, par = _of_sex(sex, x, y)
    _say(sex, inputs, x, y)
    return Ploidies(PloidyMap(options.ploidy, contigs | sexed, bed | par), (header,))


def _with_par(
    options: CallOptions, inputs: Inputs, x: SexChromosome | None, y: SexChromosome | None
) -> tuple[SexChromosome | None, SexChromosome | None]:
    """Put the regions of --par-bed in the place of those of a build."""
    if options.par_bed is None:
        return x, y
    names = [one.name for one in (x, y) if one is not None]
    par: Mapping[str, Spans] = read_par_bed(options.par_bed, inputs.contigs, names)
    given, other = (
        SexChromosome(one.name, one.build, par.get(one.name, ())) if one is not None else None
        for one in (x, y)
    )
    return given, other


def _sex(
    options: CallOptions, inputs: Inputs, x: SexChromosome | None, y: SexChromosome | None
) -> tuple[str, str]:
    """Return the sex that X and Y are called with, and the line of the header that says so."""
    build = next((one.build for one in (x, y) if one is not None and one.build), None)
    known = f",build={build}" if build else ""
    if options.sex != "auto":
        return str(options.sex), f"##varcall_sex=<sex={options.sex},from=option{known}>"
    evidence = measure_sex(inputs, x, y)
    numbers = "".join(
        f",{name}={value:.3g}"
        for name, value in (("x_depth", evidence.x_depth), ("y_reads", evidence.y_reads))
        if not isnan(value)
    )
    if evidence.sex == UNKNOWN:
        _log.warning(
            "--sex auto cannot tell the sex: %s; X and Y are called with ploidy %d: say --sex male "
            "or --sex female where it is known",
            evidence.why,
            options.ploidy,
        )
    else:
        _log.info("the sample is %s: %s", evidence.sex, evidence.why)
    return evidence.sex, f"##varcall_sex=<sex={evidence.sex},from=reads{numbers}{known}>"


def _of_sex(
    sex: str, x: SexChromosome | None, y: SexChromosome | None
) -> tuple[dict[str, int], dict[str, tuple[tuple[int, int, int], ...]]]:
    """Return the ploidy of X and Y in a sex, and that of their PAR.

    The PAR of a male are called on X, with two copies, and not a second time on Y: in references
    for alignment they are masked on Y, in others no read there has a mapping quality.
    """
    contigs: dict[str, int] = {}
    spans: dict[str, tuple[tuple[int, int, int], ...]] = {}
    if sex == FEMALE and y is not None:
        contigs[y.name] = 0
    if sex == MALE:
        for one, in_par in ((x, 2), (y, 0)):
            if one is None:
                continue
            if one.par is None:
                raise UsageError(
                    f"where {one.name!r} pairs is not known: its length is that of no build known "
                    f"here ({', '.join(BUILDS)}); give the regions with --par-bed"
                )
            contigs[one.name] = 1
            spans[one.name] = tuple((start, end, in_par) for start, end in one.par)
    return contigs, spans


def _say(sex: str, inputs: Inputs, x: SexChromosome | None, y: SexChromosome | None) -> None:
    """Say once what a user may miss in the output."""
    if sex in (MALE, FEMALE) and x is None and y is None:
        _log.warning("--sex changes nothing: there are no contigs X and Y")
    called = {region.contig for region in inputs.regions}
    if y is None or y.name not in called:
        return
    if sex == FEMALE:
        _log.warning("no calls on %s, as the sample is female", y.name)
    elif sex == MALE and _has_bases(inputs, y):
        _log.warning(
            "the pseudo-autosomal regions of %s are not masked (N) in %s: their reads are shared "
            "by X and %s with mapping quality 0, so few are used; align to a reference with them "
            "masked",
            y.name,
            inputs.reference,
            y.name,
        )


def _has_bases(inputs: Inputs, y: SexChromosome) -> bool:
    """Tell whether the reference has bases in the middle of a PAR of Y."""
    with Reference(inputs.reference) as reference:
        for start, end in y.par or ():
            middle = (start + end) // 2
            if (reference.fetch(y.name, middle, min(end, middle + _PROBED)) < 4).any():
                return True
    return False
