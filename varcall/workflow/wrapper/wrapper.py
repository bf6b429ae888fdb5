__author__ = "The varcall developers"
__copyright__ = "Copyright 2026, the varcall developers"
__license__ = "MIT"


from snakemake.shell import shell

log = snakemake.log_fmt_shell(stdout=True, stderr=True)
extra = snakemake.params.get("extra", "")

options = []
if index := snakemake.input.get("index"):
    options += ["--index", index]
if bed := snakemake.input.get("regions"):
    options += ["--regions-file", bed]
if regions := snakemake.params.get("regions"):
    options += ["--regions", regions]
if shard := snakemake.params.get("shard"):
    options += ["--shard", shard]

gvcf = snakemake.output.get("gvcf")
# The first other output that is no index, whatever it is named.
others = [path for path in snakemake.output if not path.endswith((".tbi", ".csi")) and path != gvcf]
if gvcf:
    options += ["--gvcf", gvcf]
if others:
    options += ["--output", others[0]]
if not any(path.endswith((".tbi", ".csi")) for path in snakemake.output):
    options += ["--no-write-index"]

shell(
    "varcall call {snakemake.input.reads:q}"
    " --ref {snakemake.input.ref:q}"
    " --threads {snakemake.threads}"
    " {options:q}"
    " {extra}"
    " {log}"
)
