"""Which basecalling model made the reads, as the header of a BAM or CRAM says it.

Dorado writes `basecall_model=NAME` into DS of @RG, guppy the same or, of the fields of its FASTQ,
`basecall_model_version_id=NAME`; both name the model on the command line of their @PG. PacBio's DS
has `READTYPE=CCS;...;BASECALLERVERSION=5.0;...` (PacBio BAM format specification), and
DeepConsensus is known by its @PG. Headers are written by many hands: what is not understood says
nothing.
"""

import re
from collections.abc import Iterable, Mapping

DEEPCONSENSUS, CCS = "deepconsensus", "ccs"

_FIELD = re.compile(r"(\w+)=([^\s;,]+)")
_ONT_FIELDS = ("BASECALL_MODEL", "BASECALL_MODEL_VERSION_ID", "BASECALLER_MODEL")
# dna_r10.4.1_e8.2_400bps_sup@v4.3.0 and, of guppy's configuration, dna_r9.4.1_450bps_hac.cfg.
_ONT_MODEL = re.compile(r"dna_r\d[\w.]*(?:@v?\d[\w.]*)?")
# Dorado takes the kind alone: dorado basecaller sup,5mCG_5hmCG pod5/
_ONT_KIND = re.compile(r"(?<!\S)(?:fast|hac|sup)(?:@\w[\w.]*)?(?=[\s,]|$)")
_ONT_PROGRAMS = ("dorado", "guppy", "bonito")
_CONFIGURATION = ".cfg"


def described_basecaller(description: str) -> str:
    """Return the name of the model that DS of an @RG line states; empty where it states none."""
    fields: dict[str, str] = {k.upper(): value for k, value in _FIELD.findall(description)}
    for name in _ONT_FIELDS:
        if name in fields:
            return fields[name]
    if "READTYPE" in fields:
        return _pacbio(fields)
    return _ont_model(description)


def programs_basecaller(programs: Iterable[Mapping[str, str]]) -> str:
    """Return the name of the model that @PG lines tell, from their tags.

    Empty where none tells one, or they tell several.
    """
    found = {_of_program(tags) for tags in programs} - {""}
    if DEEPCONSENSUS in found:  # It works on what ccs wrote.
        found.discard(CCS)
    return found.pop() if len(found) == 1 else ""


def basecaller_of(described: str, by_programs: str) -> str:
    """Return the name that DS and the @PG lines tell together."""
    polished = by_programs == DEEPCONSENSUS and described.startswith(CCS)
    return by_programs if polished or not described else described


def _pacbio(fields: Mapping[str, str]) -> str:
    """Return what kind of read DS names, with version and model where they are given."""
    kind = fields["READTYPE"].lower()
    if kind == "unknown":
        return ""
    more = (fields.get(name, "") for name in ("BASECALLERVERSION", "MODEL"))
    return " ".join(filter(None, (kind, *more)))


def _ont_model(text: str) -> str:
    found = _ONT_MODEL.search(text)
    return found.group().rstrip(".").removesuffix(_CONFIGURATION) if found else ""


def _of_program(tags: Mapping[str, str]) -> str:
    """Return the model that one @PG line tells."""
    name, command = tags.get("PN", tags.get("ID", "")).lower(), tags.get("CL", "")
    if name.startswith((DEEPCONSENSUS, CCS)):
        return DEEPCONSENSUS if name.startswith(DEEPCONSENSUS) else CCS
    if not any(program in name for program in _ONT_PROGRAMS):
        return ""
    kind = _ONT_KIND.search(command)
    return _ont_model(command) or (kind.group() if kind else "")
