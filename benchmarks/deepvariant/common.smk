"""Files, callers and container commands, from the configuration."""

import os
import re
import shlex

OUTDIR = config["outdir"]
STAND_IN = config["deepvariant"]["stand_in"]
# No file of a stand-in has DeepVariant's name.
PEER = "stand-in-not-deepvariant" if STAND_IN else "deepvariant"
CALLERS = ["varcall", PEER]
SCORERS = ["eval", "happy"] if config["happy"] else ["eval"]
ONLY_WALL = config["containers"] == "docker" and not STAND_IN

ADDRESSES = {}
"""What is fetched: the address of each name under OUTDIR/data."""


def located(value, name):
    """Return the path of a file that is there, or will be when it has been fetched."""
    if not re.match("[a-z]+://", value):
        return value
    ADDRESSES[name] = value
    return f"{OUTDIR}/data/{name}"


SAMPLE = {
    key: located(config[key], name)
    for key, name in {
        "reads": "reads.bam",
        "reads_index": "reads.bam.bai",
        "reference": "reference.fa",
        "reference_index": "reference.fa.fai",
    }.items()
}
TRUTH = {
    key: located(config[key], name)
    for key, name in {
        "truth": "truth.vcf.gz",
        "truth_index": "truth.vcf.gz.tbi",
        "confident": "confident.bed",
    }.items()
}
STRATA = {
    name: located(value, f"{name}.bed.gz") for name, value in config["strata"].items()
}


def scored(wildcards):
    """Return what a scorer reads of a caller."""
    calls = {"calls": f"{OUTDIR}/calls/{wildcards.caller}.vcf.gz"}
    reference = {key: SAMPLE[key] for key in ("reference", "reference_index")}
    return calls | reference | TRUTH | {"strata": f"{OUTDIR}/data/strata.tsv"}


def contained(image, words, paths):
    """Return the command that runs words in a container, as this user, which sees these files."""
    folders = {os.path.dirname(os.path.realpath(path)) for path in paths}
    folders |= {os.path.dirname(os.path.abspath(path)) for path in paths} | {os.getcwd()}
    mounts = sorted(folders)
    if config["containers"] == "docker":
        head = ["docker", "run", "--rm", "--user", f"{os.getuid()}:{os.getgid()}"]
        head += ["--workdir", os.getcwd(), *(f"--volume={path}:{path}" for path in mounts), image]
    else:
        head = ["apptainer", "exec", "--cleanenv", "--pwd", os.getcwd()]
        head += [*(f"--bind={path}" for path in mounts), f"docker://{image}"]
    return shlex.join([*head, *words])


def peer_command(wildcards, input, output, threads):
    """Return the command that writes the peer's calls."""
    if STAND_IN:
        return STAND_IN.format(
            reads=shlex.quote(input.reads),
            reference=shlex.quote(input.reference),
            regions=shlex.quote(config["regions"]),
            threads=threads,
            output=shlex.quote(output[0]),
        )
    words = [
        "/opt/deepvariant/bin/run_deepvariant",
        f"--model_type={config['deepvariant']['model_type']}",
        f"--reads={input.reads}",
        f"--ref={input.reference}",
        f"--output_vcf={output[0]}",
        f"--num_shards={threads}",
        f"--intermediate_results_dir={OUTDIR}/intermediate",
    ]
    words += [f"--regions={config['regions']}"] if config["regions"] else []
    return contained(config["deepvariant"]["image"], words, [*input, *output])


def happy_command(wildcards, input, output, threads):
    """Return hap.py's command, as in DeepVariant's case studies, with strata."""
    prefix = output[0].removesuffix(".summary.csv")
    words = ["/opt/hap.py/bin/hap.py", input.truth, input.calls, "-f", input.confident]
    words += ["-r", input.reference, "-o", prefix, "--engine=vcfeval", "--pass-only"]
    words += ["--stratification", input.strata, "--threads", str(threads)]
    words += ["-l", config["regions"]] if config["regions"] else []
    return contained(config["happy"], words, [*input, *output, *STRATA.values()])
