"""The given sites of a window, and what of the evidence they ask for."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

import numpy as np

from pileup.codes import INDEL
from varcall.evidence.alleles import trim
from varcall.evidence.candidates import PutativeAllele, spell
from varcall.evidence.given_alleles import UNNAMED, putative_allele
from varcall.genotyping.genotype import (
    SPANNED,
    GenotypeCall,
    GenotypeOptions,
    SiteEvidence,
    kept_alts,
)
from varcall.genotyping.given import Part, given_record, silent_record
from varcall.genotyping.phase_votes import Vote
from varcall.inputs.given_sites import GivenRecord, GivenSites, GivenSitesReader
from varcall.inputs.ploidy import PloidyMap
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region
from varcall.output.record import VariantRecord

NAMED_WITHIN = 500
"""How far from its POS a given record says what calling finds: indels may not be left-aligned."""

_Key = PutativeAllele | tuple[int, ...]  # an allele, or a kind of site


@dataclass(frozen=True, slots=True)
class GenotypedSite:
    """A site of the evidence: its alleles (those of `shows` but `*`), its reads and its call.

    `number` is its own in the evidence, `is_shown` tells whether reads suggest it, `vote` is as in
    `Part`.
    """

    number: int
    alleles: tuple[PutativeAllele, ...]
    is_shown: bool
    shows: SiteEvidence
    call: GenotypeCall
    vote: Vote | None = None

    @property
    def called(self) -> tuple[PutativeAllele, ...]:
        """The ALTs that its own record would have, `*` left out."""
        kept = kept_alts(self.call, len(self.shows.alts))
        return tuple([self.alleles[alt - 1] for alt in kept if alt <= len(self.alleles)])

    @property
    def calls_spanned(self) -> bool:
        """Whether a copy has the place deleted by a site around."""
        return (
            len(self.shows.alts) > len(self.alleles) and len(self.shows.alts) in self.call.alleles
        )

    @property
    def kind(self) -> tuple[int, ...]:
        """What sites with the same REF reads have in common; a substitution's length is part."""
        return _kind_of(self.alleles[0])


def _kind_of(allele: PutativeAllele) -> tuple[int, ...]:
    """Return start, kind and length; indels of one anchor are of one kind, whatever their length.

    What puts bases in the place of others is of its own: reads show it as an indel and SNVs, which
    are no other alleles beside it.
    """
    length = allele.deleted
    if allele.kind == INDEL and not (allele.deleted and allele.bases):
        length = 0
    return allele.start, allele.kind, length


@dataclass(frozen=True, slots=True)
class AskedRecord:
    """A given record, its ALTs as the evidence knows them, and the number of its `*` or `<*>`.

    `alleles` has None for an ALT that reads cannot be asked for, and for `*` and `<*>`.
    """

    given: GivenRecord
    alleles: tuple[PutativeAllele | None, ...]
    rest: int | None

    @property
    def asked(self) -> frozenset[PutativeAllele]:
        """The alleles that reads are asked for."""
        if not self.can_be_asked:
            return frozenset()
        return frozenset(allele for allele in self.alleles if allele is not None)

    @property
    def can_be_asked(self) -> bool:
        """Whether reads can be asked for all its ALTs, and it has one."""
        missing = self.alleles.count(None)
        return len(self.alleles) > missing and missing == (self.rest is not None)


@dataclass(frozen=True, slots=True)
class GivenWindow:
    """The given records of a window.

    Attributes
    ----------
    span
        The window and all that its records' alleles start at: of one that is not left-aligned that
        may lie before the window, of one with bases to spare behind it.
    around
        These records and others near the window, where what calling finds is held against them.
    anchored
        Alleles of these that start in the window itself: what a gVCF of it has records for. Empty
        where none is written.
    """

    records: tuple[AskedRecord, ...]
    span: Region
    around: tuple[AskedRecord, ...] = ()
    anchored: frozenset[PutativeAllele] = frozenset()

    @property
    def asked(self) -> frozenset[PutativeAllele]:
        """All alleles that reads are asked for."""
        return self.anchored.union(*(record.asked for record in self.records))

    def names(self, alleles: Sequence[PutativeAllele]) -> bool:
        """Tell whether a record within NAMED_WITHIN bases of some alleles has all of them."""
        start = alleles[0].start
        return any(
            abs(record.given.start - start) <= NAMED_WITHIN and {*alleles} <= record.asked
            for record in self.around
        )

    def genotyped(
        self,
        sites: Sequence[GenotypedSite],
        ploidies: Sequence[int],
        depths: Sequence[int],
        options: GenotypeOptions,
    ) -> list[VariantRecord]:
        """Return a record for each given one, in their order.

        Parameters
        ----------
        sites
            Those that have the asked alleles, among others.
        ploidies, depths
            Copies of POS in the sample, and fragments over it, of each record.
        """
        holder: dict[_Key, int] = {}
        for number, site in enumerate(sites):
            holder |= dict.fromkeys(site.alleles, number)
            if site.is_shown:
                holder[site.kind] = number
        made = []
        for record, ploidy, depth in zip(self.records, ploidies, depths, strict=True):
            parts = _parts(record, sites, holder, ploidy)
            if ploidy and any(part.shows.dp for part in parts):
                made.append(given_record(record.given, parts, record.rest, options))
                continue
            is_asked = ploidy > 0 and record.can_be_asked
            dp = 0 if is_asked else depth
            made.append(silent_record(record.given, max(1, ploidy), dp, options, is_asked=is_asked))
        return made

    def anchored_records(
        self,
        sites: Sequence[GenotypedSite],
        reference: Reference,
        ploidy: PloidyMap,
        options: GenotypeOptions,
    ) -> list["AnchoredRecord"]:
        """Return the records that the anchored alleles add to a gVCF, none where no copy is.

        Alleles of a kind share one, with those that the call keeps of what reads suggest there.
        """
        asked_of: dict[tuple[int, ...], set[PutativeAllele]] = {}
        for allele in self.anchored:
            asked_of.setdefault(_kind_of(allele), set()).add(allele)
        made = []
        for kind, asked in sorted(asked_of.items()):
            copies = int(ploidy.at(self.span.contig, np.array([kind[0]]))[0])
            own = [
                site
                for site in sites
                if len(site.call.alleles) == copies
                and (not asked.isdisjoint(site.alleles) or (site.is_shown and site.kind == kind))
            ]
            # What is called has a record with them already, as in any call.
            if copies and not any(site.is_shown and asked.issubset(site.called) for site in own):
                made.append(_anchored(self.span.contig, asked, own, reference, copies, options))
        return made


@dataclass(frozen=True, slots=True)
class AnchoredRecord:
    """A record of given alleles as a call would spell it; the numbers of the sites with them."""

    record: VariantRecord
    sites: tuple[int, ...]


def _anchored(
    contig: str,
    asked: Set[PutativeAllele],
    sites: Sequence[GenotypedSite],
    reference: Reference,
    ploidy: int,
    options: GenotypeOptions,
) -> AnchoredRecord:
    """Return the record of alleles of one kind and of what is called at some sites."""
    called = [allele for site in sites if site.is_shown for allele in site.called]
    others = sorted({*asked} - {*called}, key=lambda allele: (allele.deleted, allele.bases))
    alleles = [*called, *others]
    start, kind = alleles[0].start, alleles[0].kind
    first = 1 if kind == INDEL else 0  # its anchor
    longest = first + max(allele.deleted for allele in alleles)
    ref = reference.fetch_string(contig, start, start + longest)
    alts = [
        ref[:first] + spell(np.frombuffer(a.bases, np.uint8)) + ref[first + a.deleted :]
        for a in alleles
    ]
    at, ref, spelled = trim(start, ref, alts)
    has_star = any(site.calls_spanned for site in sites)
    given = GivenRecord(contig, at, ".", ref, spelled + (SPANNED,) * has_star)
    number_of = {allele: number for number, allele in enumerate(alleles, 1)}
    star = len(given.alts) if has_star else None
    parts = [_part(site, number_of, star) for site in sites]
    if any(part.shows.dp for part in parts):
        record = given_record(given, parts, None, options)
    else:
        record = silent_record(given, ploidy, 0, options, is_asked=True)
    numbers = tuple([site.number for site in sites])
    return AnchoredRecord(record._replace(is_given=False), numbers)


def _parts(
    record: AskedRecord, sites: Sequence[GenotypedSite], holder: Mapping[_Key, int], ploidy: int
) -> list[Part]:
    """Return the sites with a record's ALTs, and those where reads show others of their place."""
    if not record.can_be_asked:
        return []
    number_of = {a: number for number, a in enumerate(record.alleles, 1) if a is not None}
    wanted: list[_Key] = [*number_of, *map(_kind_of, number_of)]
    chosen = sorted({holder[one] for one in wanted if one in holder})
    # An anchor may have another ploidy than POS, at a border of a pseudo-autosomal region.
    return [
        _part(sites[number], number_of)
        for number in chosen
        if len(sites[number].call.alleles) == ploidy
    ]


def _part(
    site: GenotypedSite, number_of: Mapping[PutativeAllele, int], star: int | None = None
) -> Part:
    named = [number_of.get(allele) for allele in site.alleles]
    # What the sites around add to a site's ALTs is `*`.
    named += [star] * (len(site.shows.alts) - len(named))
    return Part(site.shows, site.call, tuple(named), site.kind, site.vote)


class GivenWindows:
    """Reads the given sites of windows; belongs to one process.

    Parameters
    ----------
    longest
        Most bases of an allele that reads are asked for.
    discovers
        Whether what calling finds is written too.
    gvcf
        Whether a gVCF is written: it has what calling finds in any case.
    """

    def __init__(
        self, sites: GivenSites, reference: Reference, longest: int, *, discovers: bool, gvcf: bool
    ) -> None:
        self._reader = GivenSitesReader(sites, reference)
        self._reference, self._longest = reference, longest
        self._beyond = NAMED_WITHIN if discovers or gvcf else 0
        self._gvcf = gvcf

    def within(self, window: Region) -> GivenWindow:
        """Return the given records whose POS lies in a window.

        Raises
        ------
        InputError
            As `GivenSitesReader.within` does.
        """
        low = max(0, window.start - self._beyond)
        read = self._reader.within(Region(window.contig, low, window.end + self._beyond))
        around = tuple([self._asked(given) for given in read])
        records = tuple([r for r in around if window.start <= r.given.start < window.end])
        starts = [a.start for record in records for a in record.alleles if a is not None]
        low, high = min([window.start, *starts]), max([window.end - 1, *starts]) + 1
        anchored = frozenset(
            allele
            for record in around
            if self._gvcf
            for allele in record.asked
            if window.start <= allele.start < window.end
            # One window knows of no others.
            and abs(allele.start - record.given.start) <= NAMED_WITHIN
        )
        return GivenWindow(records, Region(window.contig, low, high), around, anchored)

    def _asked(self, given: GivenRecord) -> AskedRecord:
        reference = partial(self._reference.fetch_string, given.contig)
        rest = [number for number, alt in enumerate(given.alts, 1) if alt in UNNAMED]
        alleles = tuple(
            [
                putative_allele(given.start, given.ref, alt, reference, self._longest)
                for alt in given.alts
            ]
        )
        return AskedRecord(given, alleles, rest[0] if len(rest) == 1 else None)
