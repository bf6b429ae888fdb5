"""The configuration of GLnexus that the page on gVCF has: it parses, and its fields are there."""

from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import blocks
from varcall.output.gvcf import GqBands, GvcfFormat
from varcall.output.header import HeaderContig, VcfHeader

yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install pyyaml")


@pytest.fixture
def config(root: Path) -> Any:
    (block,) = [block for block in blocks(root / "docs/howto/gvcf.md") if block.language == "yaml"]
    return yaml.safe_load(block.text)


def test_its_fields_are_those_of_a_gvcf(config: Any) -> None:
    spelled = GvcfFormat("*", GqBands(5)).header_lines()
    header = VcfHeader((HeaderContig("a", 9),), "s", gvcf=spelled).text()
    fields = config["genotyper_config"]["liftover_fields"]
    named = {name for field in fields for name in field["orig_names"]}
    named |= {config["genotyper_config"][key] for key in ("allele_dp_format", "ref_dp_format")}
    assert named == {"DP", "MIN_DP", "AD", "GQ", "PL"}
    for name in named:
        assert f"##FORMAT=<ID={name}," in header
    for field in fields:
        assert field["description"].startswith(f"##FORMAT=<ID={field['name']},")
        assert "\n" not in field["description"]


def test_it_has_what_glnexus_knows(config: Any) -> None:
    """GLnexus refuses keys of other names (its src/types.cc)."""
    assert set(config) == {"unifier_config", "genotyper_config"}
    assert set(config["unifier_config"]) <= {
        "drop_filtered", "min_allele_copy_number", "min_AQ1", "min_AQ2", "min_GQ", "preference",
        "max_alleles_per_site", "monoallelic_sites_for_lost_alleles",
    }  # fmt: skip
    for field in config["genotyper_config"]["liftover_fields"]:
        assert set(field) <= {
            "orig_names", "name", "description", "type", "number", "default_type", "count",
            "combi_method", "ignore_non_variants",
        }  # fmt: skip
