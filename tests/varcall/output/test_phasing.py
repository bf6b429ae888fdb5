"""The serial pass that phases records, on records whose fragments are made up."""

from pathlib import Path

import numpy as np
import pytest

from tests.varcall.output.test_vcf import HEADER, record, write
from varcall.errors import InputError
from varcall.output.header import HeaderShard, Phasing
from varcall.output.phase_votes import RecordVotes, without_votes
from varcall.output.phasing import Phaser
from varcall.output.record import VariantRecord, format_record

STEP = 50  # bases between sites
SPAN = 4  # sites that a fragment covers


def votes_text(votes: dict[int, int], reach: int) -> str:
    names = np.array([*votes], np.int64)
    weight = np.array([*votes.values()], np.int64)
    return RecordVotes(names, np.full(len(names), reach), weight).text()


def chain(
    n_sites: int, truth: list[int], *, gap: int | None = None, fields: dict | None = None
) -> list[VariantRecord]:
    """Heterozygous SNVs; fragments over each SPAN of them; none reaches over site `gap`'s left."""
    shown: list[dict[int, int]] = [{} for _ in range(n_sites)]
    reach = [0] * n_sites
    for first in range(n_sites):
        last = min(first + SPAN, n_sites)
        if gap is not None and first < gap:
            last = min(last, gap)
        for copy, side in enumerate((1, -1)):
            for site in range(first, last):
                shown[site][2 * first + copy + 1] = 30 * side * truth[site]
                reach[site] = max(reach[site], (last - 1 - site) * STEP)
    return [
        record(
            start=100 + STEP * site,
            votes=votes_text(shown[site], reach[site]),
            **(fields or {}),
        )
        for site in range(n_sites)
    ]


def phased(records: list[VariantRecord], **options: int) -> list[str]:
    phaser = Phaser(**options)
    return [
        *(line for one in records for line in phaser.push(format_record(one))),
        *phaser.flush(),
    ]


def genotypes(lines: list[str]) -> list[tuple[str, str]]:
    """GT, and PS where there is one."""
    found = []
    for line in lines:
        names, sample = line.rstrip("\n").split("\t")[8:]
        values = dict(zip(names.split(":"), sample.split(":"), strict=True))
        found.append((values["GT"], values.get("PS", "")))
    return found


TRUTH = [1, -1, -1, 1, 1, -1, 1, -1, -1, 1]
EXPECTED = ["0|1" if side == TRUTH[0] else "1|0" for side in TRUTH]


def test_a_chain_is_one_block_named_by_its_first_record() -> None:
    lines = phased(chain(10, TRUTH))
    assert genotypes(lines) == [(gt, "101") for gt in EXPECTED]
    assert not any("VOTES" in line or "AFTER" in line for line in lines)


def test_the_first_record_of_a_block_has_the_smaller_allele_on_haplotype_1() -> None:
    turned = [-side for side in TRUTH]
    assert phased(chain(10, turned)) == phased(chain(10, TRUTH))


def test_a_gap_begins_another_block() -> None:
    found = genotypes(phased(chain(10, TRUTH, gap=5)))
    assert [phase_set for _, phase_set in found] == ["101"] * 5 + ["351"] * 5
    assert found[5][0] == "0|1"


def test_given_records_of_one_place_count_once() -> None:
    """Two ALTs of a place in records of their own, the other one's allele `.` in each."""
    records = chain(10, TRUTH)
    lone = phased(records)
    for number in (0, 4):
        votes = RecordVotes.of_text(records[number].votes or "")
        first, second = (
            records[number]._replace(
                gt=(None, 1),
                alts=(alt,),
                is_given=True,
                votes=votes._replace(weight=sign * votes.weight).text(),
            )
            for sign, alt in ((1, "C"), (-1, "G"))
        )
        doubled = [*records[:number], first, second, *records[number + 1 :]]
        found = phased(doubled)
        del found[number : number + 2]
        # A block begins with its smaller allele, which the named one is.
        assert number == 0 or found == lone[:number] + lone[number + 1 :]
        of_place = genotypes(phased(doubled))[number : number + 2]
        expected = {0: ["1|.", ".|1"], 4: [".|1", "1|."]}[number]
        assert of_place == [(gt, "101") for gt in expected]
    given = records[3]._replace(gt=(None, 1), is_given=True)
    assert genotypes(phased([given])) == [("./1", "")]
    assert "\tFORCED\t" in phased([given])[0]


def test_parts_change_nothing() -> None:
    """However few records are held back, a block goes on through the parts."""
    truth = np.random.default_rng(3).choice([-1, 1], 120).tolist()
    records = chain(120, truth, gap=70)
    whole = phased(records)
    assert len({phase_set for _, phase_set in genotypes(whole)}) == 2
    assert phased(records, enough=1) == whole
    for most in (8, 20, 50):
        assert phased(records, enough=1, most=most) == whole


def test_lines_are_given_back_when_nothing_reaches_further() -> None:
    phaser = Phaser(enough=1)
    far = [one._replace(start=one.start + 100_000) for one in chain(3, [1, 1, 1])]
    held = [phaser.push(format_record(one)) for one in chain(3, [1, 1, 1])]
    assert held == [[], [], []]
    assert len(phaser.push(format_record(far[0]))) == 3


def test_reference_blocks_have_no_say() -> None:
    """However few records are held back, the blocks of a gVCF stay where they were."""
    truth = np.random.default_rng(3).choice([-1, 1], 60).tolist()
    lines = [format_record(record) for record in chain(60, truth)]
    mixed = []
    for line in lines:
        pos = int(line.split("\t")[1])
        call = f"\tEND={pos + 2}\tGT:GQ:MIN_DP:PL\t0/0:30:9:0,30,300\n"
        mixed += [line, f"chr0\t{pos + 1}\t.\tA\t<*>\t.\t.{call}"]
    for most in (8, 10_000):
        plain, with_blocks = Phaser(enough=1, most=most), Phaser(enough=1, most=most)
        expected = [ready for line in lines for ready in plain.push(line)] + plain.flush()
        found = [ready for line in mixed for ready in with_blocks.push(line)]
        found += with_blocks.flush()
        assert found[1::2] == mixed[1::2]
        assert found[::2] == expected


def test_contigs_do_not_touch() -> None:
    one = chain(4, TRUTH[:4])
    other = [record._replace(contig="chr1") for record in chain(4, TRUTH[:4])]
    found = genotypes(phased([*one, *other]))
    assert found[:4] == found[4:]


def test_a_contradicted_record_is_left_out() -> None:
    records = chain(10, TRUTH)
    shown = RecordVotes.of_text(records[4].votes or "")
    mixed = shown._replace(weight=np.where(np.arange(len(shown.weight)) % 4 < 2, 30, -30))
    records[4] = records[4]._replace(votes=mixed.text())
    found = genotypes(phased(records))
    assert found[4] == ("0/1", "")
    assert found[:4] + found[5:] == [(gt, "101") for gt in EXPECTED[:4] + EXPECTED[5:]]


def test_records_genotyped_together_turn_together() -> None:
    """Two records that share a phase set are one unit, whoever votes at which."""
    records = chain(6, [1, 1, 1, 1, 1, 1])
    # On haplotypes of their own, the other way round than the chain's.
    for site, gt in ((2, (1, 0)), (3, (0, 1))):
        votes = RecordVotes.of_text(records[site].votes or "")
        if gt == (1, 0):
            votes = votes._replace(weight=-votes.weight)
        records[site] = records[site]._replace(gt=gt, phase_set=200, votes=votes.text())
    # The second of them is seen by nobody: it follows the first.
    records[3] = records[3]._replace(votes=votes_text({}, 0), gt=(0, 1))
    assert genotypes(phased(records)) == [(gt, "101") for gt in ["0|1"] * 3 + ["1|0"] + ["0|1"] * 2]


def test_records_genotyped_together_keep_their_phase_alone() -> None:
    records = [
        record(start=start, gt=gt, phase_set=95, votes=votes_text({}, 0))
        for start, gt in ((100, (1, 0)), (104, (0, 1)))
    ]
    assert genotypes(phased(records)) == [("0|1", "101"), ("1|0", "101")]


def test_a_lone_record_is_not_phased() -> None:
    assert genotypes(phased([record(votes=votes_text({1: 30}, 200))])) == [("0/1", "")]


def test_other_records_are_left_as_they_are() -> None:
    plain = record(gt=(1, 1), cause=("mapping", 0.5))
    assert phased([plain]) == [format_record(plain)]


def test_votes_survive_as_text() -> None:
    votes = RecordVotes(
        np.array([0, 2**32 - 1]), np.array([0, 2**20]), np.array([-127, 3], np.int64)
    )
    again = RecordVotes.of_text(votes.text())
    for one, other in zip(votes, again, strict=True):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ("VOTES=AA", "."),
        ("CAUSE=x;CAUSEP=1;VOTES=AA;AFTER=C", "CAUSE=x;CAUSEP=1"),
        (".", "."),
        ("AFTER=C;OTHER=AFTER", "OTHER=AFTER"),
    ],
)
def test_info_without_votes(info: str, expected: str) -> None:
    assert without_votes(info) == expected


def test_a_broken_record_is_one_sentence() -> None:
    line = format_record(chain(3, [1, 1, 1])[0]).replace("VOTES=", "VOTES=@")
    with pytest.raises(InputError, match="cannot be phased") as caught:
        Phaser().push(line)
    assert "\n" not in str(caught.value)


SNVS = {"after": "GT"}


def joined(records: list[VariantRecord], distance: int = 2) -> list[tuple[str, ...]]:
    """POS, REF, ALT and GT of each record."""
    lines = phased(records, join_distance=distance)
    pairs = zip(lines, genotypes(lines), strict=True)
    return [(*np.array(line.split("\t"))[[1, 3, 4]].tolist(), gt) for line, (gt, _) in pairs]


def near(gts: list[tuple[int, int]], starts: list[int], **fields) -> list[VariantRecord]:
    """SNVs A to C; those that are heterozygous are phased by one fragment of each haplotype."""
    return [
        record(
            start=start,
            gt=tuple(sorted(gt)),
            after="GT",
            votes=votes_text({1: 30, 2: -30} if gt == (0, 1) else {1: -30, 2: 30}, 50)
            if len({*gt}) > 1
            else None,
            **fields,
        )
        for start, gt in zip(starts, gts, strict=True)
    ]


@pytest.mark.parametrize(
    ("gts", "starts", "distance", "expected"),
    [
        ([(0, 1), (0, 1)], [10, 11], 2, [("11", "AA", "CC", "0|1")]),
        ([(0, 1), (0, 1)], [10, 12], 2, [("11", "AGA", "CGC", "0|1")]),
        ([(1, 1), (1, 1)], [10, 12], 2, [("11", "AGA", "CGC", "1/1")]),
        ([(0, 1)] * 3, [10, 12, 13], 2, [("11", "AGAA", "CGCC", "0|1")]),
        ([(0, 1), (0, 1)], [10, 12], 1, [("11", "A", "C", "0|1"), ("13", "A", "C", "0|1")]),
        ([(0, 1), (1, 0)], [10, 11], 2, [("11", "A", "C", "0|1"), ("12", "A", "C", "1|0")]),
        ([(0, 1), (1, 1)], [10, 11], 2, [("11", "A", "C", "0/1"), ("12", "A", "C", "1/1")]),
        ([(0, 1), (0, 1)], [10, 13], 2, [("11", "A", "C", "0|1"), ("14", "A", "C", "0|1")]),
    ],
)
def test_mnvs(gts, starts, distance: int, expected) -> None:
    assert joined(near(gts, starts), distance) == expected


def test_an_mnv_has_the_least_of_its_members() -> None:
    one, other = near([(0, 1), (0, 1)], [10, 11])
    one = one._replace(gq=20, pl=(20, 0, 50), qual=31.0, dp=30, ad=(18, 12), adf=(9, 6))
    other = other._replace(gq=40, pl=(41, 0, 60), qual=44.0, dp=28, ad=(19, 9), adf=(9, 5))
    (line,) = phased([one, other], join_distance=2)
    values = line.rstrip("\n").split("\t")
    assert values[5] == "31"
    assert values[9].split(":")[1:8] == ["20", "28", "18,9", "9,5", "10,3", "0.3214", "20,0,50"]


def test_what_another_record_overlaps_is_not_joined() -> None:
    one, other = near([(0, 1), (0, 1)], [10, 11])
    over = record(start=9, ref="ACG", alts=("A",), gt=(1, 1))
    assert len(phased([over, one, other], join_distance=2)) == 3
    between = record(start=11, ref="A", alts=("AT",), gt=(1, 1))
    assert len(phased([one, other, between], join_distance=2)) == 3


def test_records_not_to_be_joined_are_not() -> None:
    low = near([(0, 1), (0, 1)], [10, 11], filter="LowQual")
    assert len(phased(low, join_distance=2)) == 2


@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz", ".bcf"])
def test_shards_merge_into_the_phased_file(tmp_path: Path, suffix: str) -> None:
    from dataclasses import replace

    from tests.varcall.output.test_merge import merge

    records = chain(20, [*TRUTH, *TRUTH], fields={"after": "GT"})
    header = replace(HEADER, phasing=Phasing(2))
    whole = write(tmp_path / f"whole{suffix}", records, header, phasing=Phasing(2))
    paths = []
    for index in (1, 2, 3):
        mine = [one for number, one in enumerate(records) if number // 3 % 3 == index - 1]
        part = replace(header, shard=HeaderShard(index, 3))
        paths.append(write(tmp_path / f"{index}{suffix}", mine, part))
    merged = merge(paths, tmp_path / f"merged{suffix}")
    assert merged.read_bytes() == whole.read_bytes()
    text = write(tmp_path / "whole.txt.vcf", records, header, phasing=Phasing(2)).read_text()
    assert "first heterozygous record" in text
    assert "VOTES" not in text
    assert "varcall_phasing" not in text
