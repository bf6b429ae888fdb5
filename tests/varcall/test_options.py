"""CallOptions accepts what the command line documents and refuses the rest with a sentence."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from varcall.errors import UsageError
from varcall.options import CallOptions


def make(**values: Any) -> CallOptions:
    return CallOptions(reads=Path("reads.bam"), reference=Path("ref.fa"), **values)


def test_defaults_are_valid_and_frozen() -> None:
    options = make()
    assert options.output == "-"
    with pytest.raises(FrozenInstanceError):
        options.threads = 3  # type: ignore[misc]


def test_every_field_is_documented() -> None:
    assert CallOptions.__doc__ is not None
    for field in fields(CallOptions):
        assert field.name in CallOptions.__doc__, field.name


@pytest.mark.parametrize(
    "values",
    [
        {"output_type": "z9"},
        {"output_type": "v"},
        {"output_type": "b"},
        {"device": "cuda:1"},
        {"device": "cpu"},
        {"engine": "onnx"},
        {"shard": (3, 3)},
        {"ploidy": 1},
        {"sex": "auto"},
        {"sex": "female", "par_bed": Path("par.bed")},
        {"min_alt_fraction_snv": 0.0},
    ],
)
def test_accepts(values: dict[str, Any]) -> None:
    make(**values)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"threads": 0}, "--threads 0"),
        (
            {"alleles": Path("sites.vcf.gz"), "phase": True, "join_mnvs": 2},
            "--join-mnvs joins no given sites",
        ),
        (
            {"all_sites": True, "alleles": Path("sites.vcf.gz")},
            "--all-sites tells of each base once, which given sites",
        ),
        (
            {"all_sites": True, "gvcf": "a.g.vcf"},
            "--all-sites cannot go with --gvcf, which tells of every base already",
        ),
        ({"batch_size": 0}, "--batch-size"),
        ({"window": 10}, "--window"),
        ({"min_mapq": -1}, "--min-mapq"),
        ({"min_base_quality": 94}, "--min-base-quality"),
        ({"exclude_flags": 70000}, "--exclude-flags"),
        ({"max_depth": 0}, "--max-depth"),
        ({"min_alt_count_snv": 0}, "--min-alt-count-snv"),
        ({"min_alt_fraction_indel": 1.5}, "--min-alt-fraction-indel"),
        ({"min_alt_fraction_indel": float("nan")}, "--min-alt-fraction-indel"),
        ({"min_qual": -1.0}, "--min-qual"),
        ({"ploidy": 4}, "--ploidy"),
        ({"sex": "xy"}, "--sex 'xy' is not known: choose male, female, auto"),
        ({"sex": "male", "ploidy": 1}, "--sex is of diploid samples"),
        ({"par_bed": Path("par.bed")}, "--par-bed needs --sex"),
        ({"precision": "int4"}, "--precision"),
        ({"device": "cuda:"}, "--device"),
        ({"engine": "tensorrt"}, "--engine"),
        ({"output_type": "vcf"}, "--output-type"),
        ({"output": ""}, "--output"),
        ({"sample_name": " "}, "--sample-name"),
        ({"shard": (0, 3)}, "--shard"),
        ({"shard": (4, 3)}, "--shard"),
    ],
)
def test_refuses(values: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError, match=part) as caught:
        make(**values)
    assert "\n" not in str(caught.value)
