"""Sites of several samples: their alleles in one record, and what each sample says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from varcall.errors import InputError
from varcall.genotyping.genotype import SPANNED, genotypes
from varcall.joint.gvcf_input import GvcfRecord
from varcall.output.record import vcf_pos

Records = Sequence[GvcfRecord]


@dataclass(frozen=True, slots=True)
class SampleCall:
    """What a sample says of a site.

    Attributes
    ----------
    gt
        Allele of each copy of the contig, None where not called.
    is_phased, phase_set
        Whether `gt` is in the order of haplotypes, and PS (1-based) where that was stated.
    gq, dp
        Genotype quality and depth; None where nothing is known.
    counts
        AD, ADF and ADR of all alleles of the site; None where they are not known.
    pl
        Phred genotype likelihoods in VCF order; None where nothing is known.
    pp
        The same after what the family says; None where that was not asked.
    de_novo
        P(genotype not inherited from the parents); None where that was not asked.
    """

    gt: tuple[int | None, ...] = (None, None)
    is_phased: bool = False
    phase_set: int | None = None
    gq: int | None = None
    dp: int | None = None
    counts: tuple[tuple[int, ...] | None, ...] = (None, None, None)
    pl: tuple[int, ...] | None = None
    pp: tuple[int, ...] | None = None
    de_novo: float | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A record of the joint VCF: alleles (REF first, `*` last), and the call of each sample."""

    contig: str
    start: int
    alleles: tuple[str, ...]
    is_pass: bool
    calls: tuple[SampleCall, ...]


def sites_at(contig: str, start: int, covering: Sequence[Records]) -> Iterator[Site]:
    """Yield the sites at a position: one, but where a sample has several records there.

    Parameters
    ----------
    covering
        Of each sample the records and blocks that cover `start`, in their order.

    Raises
    ------
    InputError
        Two samples have another REF.
    """
    for group in _groups([[r for r in one if r.start == start] for one in covering]):
        called = [record for record in group if record is not None and record.called]
        ref = max((record.alleles[0] for record in called), key=len, default="")
        _check_refs(contig, [record for record in group if record is not None])
        alts = dict.fromkeys(
            _extended(record.alleles[0], record.alleles[number], ref)
            for record in called
            for number in record.called
        )
        named = tuple(alt for alt in alts if alt != SPANNED)
        if not named:
            continue
        chosen = [
            _source(own, records, start) for own, records in zip(group, covering, strict=True)
        ]
        alleles = (ref, *named)
        if SPANNED in alts or any(_is_spanned(record, start) for record in chosen if record):
            alleles = (*alleles, SPANNED)
        yield Site(
            contig,
            start,
            alleles,
            any(_passes(record) for record in called),
            tuple(
                _call(contig, start, alleles, record, is_own=record is not None and record is own)
                for record, own in zip(chosen, group, strict=True)
            ),
        )


def _passes(record: GvcfRecord) -> bool:
    filters = list(record.fields.filter)
    return not filters or filters == ["PASS"]


def _groups(own: Sequence[Records]) -> list[list[GvcfRecord | None]]:
    """Divide the records of a position: of each sample one at most in each group.

    Records of one sample, at one place, speak of haplotypes that one record cannot have. A record
    goes where it shares most alleles.
    """
    variants = [[record for record in records if not record.is_block] for records in own]
    most = max(variants, key=len, default=[])
    groups: list[list[GvcfRecord | None]] = [[None] * len(own) for _ in most]
    if len(most) <= 1:
        return [[records[0] if records else None for records in variants]] if most else []
    for sample, records in enumerate(variants):
        free = list(range(len(most)))
        for record in records:
            best = max(free, key=lambda number: (_n_shared(most[number], record), -number))
            groups[best][sample] = record
            free.remove(best)
    return groups


def _n_shared(one: GvcfRecord, other: GvcfRecord) -> int:
    ref = max(one.alleles[0], other.alleles[0], key=len)
    first, second = (
        {_extended(r.alleles[0], r.alleles[number], ref) for number in r.called}
        for r in (one, other)
    )
    return len(first & second)


def _check_refs(contig: str, records: Records) -> None:
    if not records:
        return
    longest = max(records, key=lambda record: len(record.alleles[0]))
    for record in records:
        if not longest.alleles[0].upper().startswith(record.alleles[0].upper()):
            raise InputError(
                f"REF at {contig}:{vcf_pos(record.start)} is {record.alleles[0]} in one gVCF and "
                f"{longest.alleles[0]} in another; call all samples against one reference"
            )


def _extended(ref: str, allele: str, longer: str) -> str:
    """Spell an allele of `ref` as one of a REF that goes on; symbols stay."""
    return allele if allele == SPANNED or allele[0] == "<" else allele + longer[len(ref) :]


def _source(own: GvcfRecord | None, records: Records, start: int) -> GvcfRecord | None:
    """Return the record to ask a sample by.

    Its own of the group, then another of that position, then one that has the position deleted,
    then any that covers it.
    """
    if own is not None:
        return own
    here = [record for record in records if record.start == start]
    deleting = [record for record in records if _is_spanned(record, start)]
    return next(iter([*here, *deleting, *records]), None)


def _is_spanned(record: GvcfRecord, start: int) -> bool:
    return any(_deletes(record, number, start) for number in record.called)


def _deletes(record: GvcfRecord, number: int, start: int) -> bool:
    """Whether an ALT of a record that begins before a position says something of that base."""
    if record.start >= start:
        return False
    ref, alt = record.alleles[0], record.alleles[number]
    if alt == SPANNED:
        return True
    if alt[0] == "<":
        return False
    shorter = min(len(ref), len(alt))
    prefix = next((i for i in range(shorter) if ref[i] != alt[i]), shorter)
    rest = shorter - prefix
    suffix = next((i for i in range(rest) if ref[-1 - i] != alt[-1 - i]), rest)
    return record.start + prefix <= start < record.start + len(ref) - suffix


def _places(
    start: int, alleles: tuple[str, ...], record: GvcfRecord, *, is_own: bool
) -> dict[int, int]:
    """Return which allele of the site each one of a record is; those of no such are left out.

    At a site that the record is not of, what the record alone has is not there: REF.
    """
    longer = max(alleles[0], record.alleles[0], key=len)
    number_of = {_extended(alleles[0], a, longer): number for number, a in enumerate(alleles)}
    places = {0: 0}
    for own, allele in enumerate(record.alleles[1:], 1):
        if own == record.unseen:
            continue
        if record.start < start:
            place = number_of.get(SPANNED) if _deletes(record, own, start) else 0
        else:
            place = number_of.get(_extended(record.alleles[0], allele, longer))
            place = 0 if place is None and not is_own else place
        if place is not None:
            places[own] = place
    return places


def _call(
    contig: str, start: int, alleles: tuple[str, ...], record: GvcfRecord | None, *, is_own: bool
) -> SampleCall:
    if record is None:
        return SampleCall()
    ploidy = len(record.gt)
    likelihoods = record.numbers("PL")
    dp = record.number("DP", "MIN_DP")
    n_genotypes = len(genotypes(len(record.alleles), ploidy))
    if likelihoods is None or len(likelihoods) != n_genotypes:
        return SampleCall(gt=(None,) * ploidy, dp=dp)
    places = _places(start, alleles, record, is_own=is_own)
    sources: list[list[int]] = [[] for _ in alleles]
    for own, place in places.items():
        sources[place].append(own)
    for found in sources:
        if not found:
            found.append(_unseen(contig, record))
    pl = _projected(likelihoods, sources, ploidy)
    call = _genotype(record, places, pl, len(alleles))
    return replace(call, dp=dp, counts=_counts(record, sources))


def _unseen(contig: str, record: GvcfRecord) -> int:
    if record.unseen is None:
        raise InputError(
            f"the record of {record.fields.samples[0].name} at {contig}:{vcf_pos(record.start)} "
            "has no allele <*> or <NON_REF>; give the gVCF as the caller wrote it"
        )
    return record.unseen


def _projected(
    likelihoods: Sequence[int], sources: Sequence[Sequence[int]], ploidy: int
) -> tuple[int, ...]:
    """Return PL of the site's genotypes: of the likeliest that each is of the record's own."""
    number_of = _numbers(max(own for found in sources for own in found) + 1, ploidy)
    pl = [
        min(likelihoods[number_of[tuple(sorted(own))]] for own in _choices(genotype, sources))
        for genotype in genotypes(len(sources), ploidy)
    ]
    least = min(pl)
    return tuple(value - least for value in pl)


def _numbers(n_alleles: int, ploidy: int) -> dict[tuple[int, ...], int]:
    return {genotype: number for number, genotype in enumerate(genotypes(n_alleles, ploidy))}


def _choices(
    genotype: tuple[int, ...], sources: Sequence[Sequence[int]]
) -> Iterator[tuple[int, ...]]:
    if len(genotype) == 1:
        yield from ((own,) for own in sources[genotype[0]])
    else:
        yield from ((a, b) for a in sources[genotype[0]] for b in sources[genotype[1]])


def _genotype(
    record: GvcfRecord, places: dict[int, int], pl: tuple[int, ...], n_alleles: int
) -> SampleCall:
    """Keep the sample's own genotype where PL of the site's alleles do not speak against it."""
    ploidy = len(record.gt)
    gq = record.number("GQ")
    if None in record.gt:
        return SampleCall(gt=(None,) * ploidy, gq=gq, pl=pl)
    every = genotypes(n_alleles, ploidy)
    second = sorted(pl)[1] if len(pl) > 1 else 0
    gq = second if gq is None else min(gq, second)
    own = tuple(places.get(allele, -1) for allele in record.gt if allele is not None)
    if -1 not in own and pl[every.index(tuple(sorted(own)))] == 0:
        sample = record.fields.samples[0]
        # What is as the reference all over has no order.
        is_phased = bool(sample.phased) and ploidy > 1 and any(own)
        phase_set = record.number("PS") if is_phased else None
        return SampleCall(own if is_phased else tuple(sorted(own)), is_phased, phase_set, gq, pl=pl)
    return SampleCall(gt=every[pl.index(0)], gq=gq, pl=pl)


def _counts(
    record: GvcfRecord, sources: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...] | None, ...]:
    """Return AD, ADF, ADR of the site's alleles; those not seen have what the unseen one has."""
    found: list[tuple[int, ...] | None] = []
    for name in ("AD", "ADF", "ADR"):
        own = record.numbers(name)
        if own is None or len(own) != len(record.alleles):
            found.append(None)
        else:
            found.append(tuple(sum(own[number] for number in numbers) for numbers in sources))
    return tuple(found)
