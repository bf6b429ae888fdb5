import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.varcall.output.test_vcf import CONTIGS, HEADER, record, write
from varcall.cli.merge import merge as merge_command
from varcall.errors import InputError, OutputError, UsageError
from varcall.output.header import HeaderShard
from varcall.output.merge import MergeOptions, merge_shards

RECORDS = [
    record(contig=contig.name, start=start, alts=alts, qual=start / 10)
    for contig in CONTIGS
    for start in range(3, 900, 7)
    for alts in (("C",), ("G", "T"))
]


def write_shards(folder: Path, count: int, suffix: str = ".vcf.gz", header=HEADER) -> list[Path]:
    """Shards that take windows of 100 bases in turn, or whatever else a run might do."""
    paths = []
    for index in range(1, count + 1):
        mine = [r for r in RECORDS if (r.start // 100) % count == index - 1]
        path = folder / f"shard{index}{suffix}"
        write(path, mine, replace(header, shard=HeaderShard(index, count)))
        paths.append(path)
    return paths


def merge(paths, output: Path, **options) -> Path:
    merge_shards(MergeOptions(tuple(paths), str(output), **options))
    return output


@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz", ".bcf"])
@pytest.mark.parametrize("shard_suffix", [".vcf", ".vcf.gz", ".bcf"])
def test_merged_shards_are_the_unsharded_file(tmp_path, suffix, shard_suffix):
    whole = write(tmp_path / f"whole{suffix}", RECORDS)
    paths = write_shards(tmp_path, 3, shard_suffix)
    merged = merge(paths[::-1], tmp_path / f"merged{suffix}")
    assert merged.read_bytes() == whole.read_bytes()
    for index in (".tbi", ".csi"):
        one, other = (path.with_name(path.name + index) for path in (whole, merged))
        assert one.exists() == other.exists()
        assert not one.exists() or one.read_bytes() == other.read_bytes()


@given(st.lists(st.integers(0, 2), min_size=len(RECORDS), max_size=len(RECORDS)))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_partition_merges(tmp_path, places):
    whole = write(tmp_path / "whole.vcf", RECORDS)
    paths = []
    for index in range(3):
        mine = [r for r, place in zip(RECORDS, places, strict=True) if place == index]
        header = replace(HEADER, shard=HeaderShard(index + 1, 3))
        paths.append(write(tmp_path / f"{index}.vcf", mine, header))
    assert merge(paths, tmp_path / "merged.vcf").read_bytes() == whole.read_bytes()


def test_one_shard_of_one(tmp_path):
    whole = write(tmp_path / "whole.vcf", RECORDS)
    assert merge(write_shards(tmp_path, 1), tmp_path / "m.vcf").read_bytes() == whole.read_bytes()


def test_standard_output(tmp_path, capfdbinary):
    whole = write(tmp_path / "whole.vcf", RECORDS)
    merge_shards(MergeOptions(tuple(write_shards(tmp_path, 2))))
    assert capfdbinary.readouterr().out == whole.read_bytes()


def test_output_type_asked_for(tmp_path):
    merged = merge(write_shards(tmp_path, 2), tmp_path / "x", output_type="z")
    assert gzip.decompress(merged.read_bytes()).startswith(b"##fileformat")
    assert (tmp_path / "x.tbi").exists()
    merge(write_shards(tmp_path, 2), tmp_path / "y", output_type="z", write_index=False)
    assert not (tmp_path / "y.tbi").exists()


def refused(paths, tmp_path: Path, match: str) -> None:
    output = tmp_path / "merged.vcf.gz"
    with pytest.raises(InputError, match=match) as caught:
        merge(paths, output)
    assert "\n" not in str(caught.value)
    assert not output.exists()
    assert not list(tmp_path.glob(".*"))


def test_missing_and_repeated_shards(tmp_path):
    one, two, three = write_shards(tmp_path, 3)
    refused([one, three], tmp_path, "shard 2/3 is missing")
    refused([one, two, three, two], tmp_path, "shard 2/3 is given 2 times")


def test_shards_of_different_counts(tmp_path):
    (tmp_path / "other").mkdir()
    first = write_shards(tmp_path, 2)
    second = write_shards(tmp_path / "other", 3)
    refused([*first, second[2]], tmp_path, "do not go together")


@pytest.mark.parametrize(
    "other",
    [
        replace(HEADER, sample="someone else"),
        replace(HEADER, contigs=HEADER.contigs[:1]),
        replace(HEADER, provenance=HEADER.provenance[:-1]),
        replace(
            HEADER,
            provenance=tuple(line.replace("abab", "cdcd") for line in HEADER.provenance),
        ),
    ],
    ids=["sample", "contigs", "command", "model"],
)
def test_shards_of_another_run(tmp_path, other):
    one, two = write_shards(tmp_path, 2)
    write(two, [], replace(other, shard=HeaderShard(2, 2)))
    refused([one, two], tmp_path, "not of the same run")


def region_run(path: Path, records, command: str, shard=None) -> Path:
    provenance = (*HEADER.provenance[:-1], f"##varcall_command={command}")
    return write(path, records, replace(HEADER, provenance=provenance, shard=shard))


def test_runs_over_regions_merge_and_keep_their_commands(tmp_path):
    left = region_run(tmp_path / "a.vcf", RECORDS[:40], "varcall call --regions a")
    right = region_run(tmp_path / "b.vcf", RECORDS[40:], "varcall call --regions b")
    whole = write(tmp_path / "whole.vcf", RECORDS).read_text()
    command = HEADER.provenance[-1]
    both = "##varcall_command=varcall call --regions b\n##varcall_command=varcall call --regions a"
    assert merge([right, left], tmp_path / "m.vcf").read_text() == whole.replace(command, both)


def test_overlapping_runs_are_refused(tmp_path):
    left = region_run(tmp_path / "a.vcf", RECORDS[:41], "a")
    right = region_run(tmp_path / "b.vcf", RECORDS[40:], "b")
    refused([left, right], tmp_path, "both hold the record")


def test_a_shard_and_a_whole_file_do_not_mix(tmp_path):
    (shard,) = write_shards(tmp_path, 1)
    refused([shard, write(tmp_path / "whole.vcf", [])], tmp_path, "is a shard and the other is not")


def test_damaged_shards(tmp_path):
    one, two = write_shards(tmp_path, 2)
    good = two.read_bytes()
    two.write_bytes(good[:-28])
    refused([one, two], tmp_path, "no end-of-file block")
    two.write_bytes(gzip.compress(gzip.decompress(good)))
    refused([one, two], tmp_path, "recompress it with bgzip")
    damaged = bytearray(good)
    damaged[len(good) // 2] ^= 0xFF
    two.write_bytes(damaged)
    refused([one, two], tmp_path, "shard2")
    two.unlink()
    refused([one, two], tmp_path, "there is no file")


def test_damaged_text_shards(tmp_path):
    one, two = write_shards(tmp_path, 2, ".vcf")
    text = two.read_text()
    for damaged, match in (
        (text[:-10], "ends in the middle of a line"),
        ("", "no complete VCF header"),
        (text[:500], "no complete VCF header|in the middle of a line"),
        (text + "chr2\t1\t.\tA\tC\t.\t.\t.\tGT\t0/1\n", "not sorted"),
        (text + "chrX\t1\t.\tA\tC\t.\t.\t.\tGT\t0/1\n", "does not fit its header"),
        (text + "chr2\n", "does not fit its header"),
    ):
        two.write_text(damaged)
        refused([one, two], tmp_path, match)


def test_a_cut_bcf_shard(tmp_path):
    one, two = write_shards(tmp_path, 2, ".bcf")
    two.write_bytes(two.read_bytes()[:-40] + two.read_bytes()[-28:])
    refused([one, two], tmp_path, "cannot read .*shard2")


def test_merging_onto_an_input_is_refused(tmp_path):
    one, two = write_shards(tmp_path, 2, ".vcf")
    before = one.read_bytes()
    with pytest.raises(OutputError, match="which is an input"):
        merge([one, two], one)
    assert one.read_bytes() == before


def test_nothing_to_merge():
    with pytest.raises(UsageError):
        merge_shards(MergeOptions(()))


def test_the_command(tmp_path):
    whole = write(tmp_path / "whole.vcf", RECORDS)
    merged = tmp_path / "merged.vcf"
    merge_command(write_shards(tmp_path, 2), output=str(merged))
    assert merged.read_bytes() == whole.read_bytes()
