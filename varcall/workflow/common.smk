"""What the rules ask of the configuration."""

OUTDIR = config["outdir"]
SHARDS = config["shards"]
# `sample: reads.bam` is short for `sample: {reads: reads.bam}`.
SAMPLES = {
    name: entry if isinstance(entry, dict) else {"reads": entry}
    for name, entry in config["samples"].items()
}
SCORED = [name for name, entry in SAMPLES.items() if "truth" in entry]
# What a job writes beside the shard of the VCF.
GVCF_SHARD = (
    {"gvcf": temp(f"{OUTDIR}/shards/{{sample}}/{{shard}}-of-{{shards}}.g.vcf.gz")}
    if config["gvcf"]
    else {}
)


def reads(wildcards):
    """Return the reads of a sample and their index."""
    entry = SAMPLES[wildcards.sample]
    suffix = ".crai" if entry["reads"].endswith(".cram") else ".bai"
    return {"reads": entry["reads"], "index": entry.get("index", entry["reads"] + suffix)}


def options(wildcards, output):
    """Return the options of `varcall call` that the configuration asks for."""
    entry = SAMPLES[wildcards.sample]
    # An option that says what would be so without it would stand in the header of the output.
    given = {
        "--index": entry.get("index"),
        "--regions": config["regions"],
        "--regions-file": config["regions_file"],
        "--haploid-contigs": entry.get("haploid_contigs"),
        "--sex": entry.get("sex"),
        "--sample-name": wildcards.sample,
        "--gvcf": output.get("gvcf"),
    }
    return [word for option, value in given.items() if value for word in (option, value)]


def shards(wildcards, suffix=".vcf.gz"):
    """Return the shards of a sample."""
    return [
        f"{OUTDIR}/shards/{wildcards.sample}/{shard}-of-{SHARDS}{suffix}"
        for shard in range(1, SHARDS + 1)
    ]


def gvcf_shards(wildcards):
    """Return those of its gVCF."""
    return shards(wildcards, ".g.vcf.gz")


def scores(wildcards):
    """Return the scores of a sample, where it has a truth."""
    if wildcards.sample in SCORED:
        return [f"{OUTDIR}/{wildcards.sample}.eval.summary.csv"]
    return []


def report_options(wildcards, input):
    """Return the options of `varcall report` that the configuration asks for."""
    entry = SAMPLES[wildcards.sample]
    given = {
        "--index": entry.get("index"),
        "--haploid-contigs": entry.get("haploid_contigs"),
        "--sex": entry.get("sex"),
        "--eval": "".join(input.scores).removesuffix(".summary.csv"),
    }
    return [word for option, value in given.items() if value for word in (option, value)]


def eval_options(wildcards, input):
    """Return the options of `varcall eval` that the configuration asks for."""
    given = {
        "--confident": input.confident,
        "--regions": config["regions"],
        "--bed-regions": config["regions_file"],
    }
    return [word for option, value in given.items() if value for word in (option, value)]
