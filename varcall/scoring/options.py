"""Options of ``varcall eval``."""

from dataclasses import dataclass, field
from pathlib import Path

from varcall.errors import UsageError
from varcall.scoring.vcfeval.matching import MatchOptions

ENGINES = ("auto", "rtg", "builtin")
SORT_ORDERS = ("descending", "ascending")
DEFAULT_SCORE_FIELD = "QUAL"  # hap.py's; rtg vcfeval alone takes GQ
# vcfeval's and hap.py's distance for "a record of the other side is near" (BK=lm).
LOOSE_MATCH_DISTANCE = 30


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """Options of one evaluation; the matching options have the names of ``rtg vcfeval``."""

    truth: Path
    queries: tuple[Path, ...]
    reference: Path
    output: Path | None = None  # prefix of the report's files; None writes none
    counts: Path | None = None
    confident: Path | None = None
    regions: tuple[str, ...] = ()
    bed_regions: Path | None = None
    stratification: Path | None = None
    sample: str | None = None  # "T" or "T,Q"; ALT compares all ALT alleles
    engine: str = "auto"
    all_records: bool = False
    squash_ploidy: bool = False
    decompose: bool = False
    ref_overlap: bool = False
    sample_ploidy: int = 2
    score_field: str | None = None
    sort_order: str = "descending"
    pass_only: bool = False
    names: tuple[str, ...] = ()
    split_vcfs: bool = False
    plots: bool = True
    sdf: Path | None = None
    rtg_memory: str | None = None
    ref_mismatch: str | None = (
        None  # "error" or "warn"; None is "error" unless only counts are wanted
    )
    threads: int = 1
    extra: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.queries:
            raise UsageError("give at least one call set with --query")
        if self.engine not in ENGINES:
            raise UsageError(f"--engine {self.engine!r} is none of {', '.join(ENGINES)}")
        if self.sort_order not in SORT_ORDERS:
            raise UsageError(
                f"--sort-order {self.sort_order!r} is none of {', '.join(SORT_ORDERS)}"
            )
        if len(self.queries) > 1 and self.counts is not None:
            raise UsageError("--counts takes one --query")
        if self.regions and self.bed_regions is not None:
            raise UsageError("give either --regions or --bed-regions")
        if self.names and len(self.names) != len(self.queries):
            raise UsageError("--name has to be given once for each --query")
        if not 1 <= self.sample_ploidy <= 8:
            raise UsageError(f"--sample-ploidy {self.sample_ploidy} is not from 1 to 8")
        if self.sample_ploidy > 2 and self.uses_genotypes and self.output is not None:
            raise UsageError(
                f"-o has no tables for genotypes of {self.sample_ploidy} alleles: give "
                "--counts FILE.json in its place, or compare alleles alone with --squash-ploidy"
            )

    @property
    def samples(self) -> tuple[str | None, str | None]:
        """Names of the samples of truth and query."""
        if self.sample is None:
            return None, None
        truth, _, query = self.sample.partition(",")
        return truth, query or truth

    @property
    def matching(self) -> MatchOptions:
        """The options as the built-in comparator takes them."""
        truth_sample, query_sample = self.samples
        return MatchOptions(
            all_records=self.all_records,
            squash_ploidy=self.squash_ploidy,
            ref_overlap=self.ref_overlap,
            decompose=self.decompose,
            ploidy=self.sample_ploidy,
            truth_all_alts=truth_sample == "ALT",
            query_all_alts=query_sample == "ALT",
        )

    @property
    def uses_genotypes(self) -> bool:
        """Whether genotypes are compared, not alleles alone."""
        return not self.squash_ploidy and "ALT" not in self.samples
