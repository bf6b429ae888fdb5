"""One sample's record as a line that can be phased, and SNVs of one haplotype joined to an MNV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from varcall.output.all_sites import NO_ALT
from varcall.output.forced import is_forced
from varcall.output.phase_votes import AFTER, info_value, without_votes

NO_ALLELE = "."
"""In GT of a given record, an allele that it does not name."""

_COUNTS = ("DP", "AD", "ADF", "ADR")
_LIKELIHOODS = ("PL", "GL")


class SampleRecord:
    """The line of a record of one sample.

    Raises
    ------
    ValueError
        When it has too few columns, or no number in POS.
    """

    __slots__ = ("_columns", "alleles", "contig", "info", "phase_set", "pos")

    def __init__(self, line: str) -> None:
        self._columns = line.split("\t")
        self.contig, pos, _, _, _, _, _, self.info, names, sample = self._columns
        self.pos = int(pos)
        gt = sample[: sample.index(":")]
        self.alleles = gt.split("|" if "|" in gt else "/")
        has_set = names.endswith(":PS")
        self.phase_set = sample.rpartition(":")[2].strip() if has_set else ""

    @property
    def start(self) -> int:
        """0-based start."""
        return self.pos - 1

    @property
    def end(self) -> int:
        """0-based end of REF, exclusive."""
        return self.start + len(self._columns[3])

    @property
    def is_reference(self) -> bool:
        """Whether bases are as in the reference there, which has no phase.

        It is a block of a gVCF, as no other record has END, or a base of `--all-sites`.
        """
        is_base = self._columns[4] == NO_ALT and not self.is_given
        return is_base or self.info.startswith("END=")

    @property
    def alts(self) -> list[str]:
        """The alleles of ALT without the one of a gVCF that stands for all others."""
        return [alt for alt in self._columns[4].split(",") if alt[0] != "<"]

    @property
    def is_given(self) -> bool:
        """Whether it was asked for, and so stands as it was given."""
        return is_forced(self.info)

    def set_phase(self, turn: int, phase_set: int | None) -> None:
        """Write GT, its alleles swapped where `turn` is -1, and PS; None leaves it unphased."""
        names, sample = self._columns[8], self._columns[9].rstrip("\n")
        _, values = sample.split(":", 1)
        if self.phase_set:
            names, values = names.removesuffix(":PS"), values.rpartition(":")[0]
        if phase_set is None:
            # An allele that a given record does not name comes first, as before.
            self.alleles.sort(key=lambda allele: -1 if allele == NO_ALLELE else int(allele))
            gt, self.phase_set = "/".join(self.alleles), ""
        else:
            self.alleles = self.alleles[::turn]
            gt, self.phase_set = "|".join(self.alleles), str(phase_set)
            names, values = names + ":PS", f"{values}:{phase_set}"
        self._columns[8:] = names, f"{gt}:{values}\n"

    def line(self) -> str:
        r"""Return the line, "\n" included, without what was there to phase by."""
        self._columns[7] = without_votes(self.info)
        return "\t".join(self._columns)

    def snv(self) -> tuple[str, str, str] | None:
        """Return what SNVs of one haplotype have alike (GT and PS), REF, ALT; None of others.

        What was asked for is none of these: it may not be lost in an MNV.
        """
        if self.is_given:
            return None
        ref, alt, status = self._columns[3], ",".join(self.alts), self._columns[6]
        is_phased = self.phase_set or self.alleles == ["1", "1"]
        if len(ref) != 1 or len(alt) != 1 or alt == "*" or status != "PASS" or not is_phased:
            return None
        return f"{self.alleles}{self.phase_set}", ref, alt

    def fields(self) -> dict[str, str]:
        """Return the sample's values by the names of FORMAT."""
        return dict(
            zip(self._columns[8].split(":"), self._columns[9].rstrip("\n").split(":"), strict=True)
        )

    def joined(self, ref: str, alt: str, members: Sequence[SampleRecord]) -> SampleRecord:
        """Return the record of an MNV that begins with this one.

        Its counts are the least of its members' (a fragment of the MNV shows them all), QUAL is the
        lowest; GQ, PL and GL are those of the member with the lowest GQ.
        """
        every = [member.fields() for member in members]
        least = min(every, key=lambda one: int(one["GQ"]))
        values = every[0] | {"GQ": least["GQ"]}
        values |= {name: least[name] for name in _LIKELIHOODS if name in least}
        for name in _COUNTS:
            counts = zip(*(map(int, one[name].split(",")) for one in every), strict=True)
            values[name] = ",".join(str(min(column)) for column in counts)
        depth, shown = int(values["DP"]), values["AD"].split(",")[1:]
        shares = (int(count) / depth if depth else 0.0 for count in shown)
        values["VAF"] = ",".join(f"{round(share, 4):g}" for share in shares)
        qual = min((member._columns[5] for member in members), key=float)
        contig, pos, name, _, alts, _, status, info, names, _ = self._columns
        sample = ":".join(values[name] for name in names.split(":"))
        alts = ",".join([alt, *alts.split(",")[1:]])
        columns = (contig, pos, name, ref, alts, qual, status, info, names, sample + "\n")
        return SampleRecord("\t".join(columns))


def join_mnvs(records: Sequence[SampleRecord], distance: int) -> Iterator[tuple[int, str]]:
    """Yield the lines of records, SNVs of one haplotype at most `distance` bases apart joined.

    With each comes the number of its last record. A record that another one overlaps is joined with
    none.
    """
    if not distance:
        yield from ((number, record.line()) for number, record in enumerate(records))
        return
    at = 0
    while at < len(records):
        last = at
        while last + 1 < len(records) and _may_join(records, last, distance):
            last += 1
        yield last, _joined(records[at : last + 1]).line()
        at = last + 1


def _may_join(records: Sequence[SampleRecord], number: int, distance: int) -> bool:
    """Return whether a record and the next one are parts of one MNV."""
    one, other = records[number], records[number + 1]
    mine, its = one.snv(), other.snv()
    return (
        mine is not None
        and its is not None
        and mine[0] == its[0]
        and one.contig == other.contig
        and 0 < other.start - one.start <= distance
        and info_value(one.info, AFTER) is not None
        and _stands_alone(records, number)
        and _stands_alone(records, number + 1)
    )


def _stands_alone(records: Sequence[SampleRecord], number: int) -> bool:
    record = records[number]
    before = all(other.end <= record.start for other in records[max(0, number - 8) : number])
    after = number + 1 == len(records) or records[number + 1].start >= record.end
    return before and after


def _joined(members: Sequence[SampleRecord]) -> SampleRecord:
    if len(members) == 1:
        return members[0]
    ref = alt = ""
    for number, member in enumerate(members):
        mine = member.snv()
        assert mine is not None
        ref, alt = ref + mine[1], alt + mine[2]
        if number + 1 < len(members):
            between = (info_value(member.info, AFTER) or "")[
                : members[number + 1].start - member.start - 1
            ]
            ref, alt = ref + between, alt + between
    return members[0].joined(ref, alt, members)
