from dataclasses import dataclass, replace
from pathlib import Path

from varcall import __version__
from varcall.options import CallOptions
from varcall.output.provenance import ModelIdentity, header_lines, normalised_command

OPTIONS = CallOptions(reads=Path("a b.bam"), reference=Path("ref.fa"))


def test_defaults_are_left_out_and_words_are_quoted():
    expected = "varcall call --reads 'a b.bam' --reference ref.fa"
    assert normalised_command("call", OPTIONS) == expected


def test_ways_of_running_and_writing_leave_no_trace():
    other = replace(
        OPTIONS,
        threads=8,
        shard=(2, 3),
        batch_size=7,
        output="x.vcf.gz",
        output_type="z9",
        write_index=False,
        timings=Path("t.tsv"),
        no_version=True,
    )
    assert normalised_command("call", other) == normalised_command("call", OPTIONS)


def test_what_decides_the_calls_is_recorded():
    other = replace(OPTIONS, regions=("20:1-9", "21"), min_mapq=7, sample="x")
    assert normalised_command("call", other) == (
        "varcall call --min-mapq 7 --reads 'a b.bam' --reference ref.fa "
        "--regions 20:1-9 --regions 21 --sample x"
    )


def test_flags():
    @dataclass(frozen=True)
    class Options:
        fast: bool = False
        safe: bool = True

    assert normalised_command("x", Options(fast=True, safe=False)) == "varcall x --fast --no-safe"


def test_no_version_omits_version_and_command():
    lines = header_lines(reference="r.fa", model=ModelIdentity("m", "0" * 64), command=None)
    assert not any(__version__ in line or "command" in line for line in lines)
    assert lines[0] == "##source=varcall"
