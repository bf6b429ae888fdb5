"""What a worker process is told once: the sample, what is evidence, the model, the output."""

from dataclasses import dataclass
from functools import partial

from models.inference.deferred import DeferredEngine
from models.inference.engine import Engine, load_engine
from models.registry import BUNDLED_SHA256, weights_path
from varcall.evidence.window import EvidenceOptions
from varcall.genotyping.answers import CallingModel, calling_model
from varcall.genotyping.genotype import GenotypeOptions
from varcall.inputs.given_sites import GivenSites
from varcall.inputs.open import Inputs
from varcall.inputs.ploidy import PloidyMap
from varcall.options import CallOptions
from varcall.output.gvcf import GvcfFormat
from varcall.output.header import Phasing
from varcall.reads.library_profile import LibraryProfile
from varcall.workers.shared_engine import EngineAddress


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """All that a worker needs to know; sent to it once.

    Attributes
    ----------
    inputs
        Checked reads and reference.
    evidence
        What counts as evidence.
    triage
        Whether the feature model may answer alone.
    ploidy
        Of each base.
    phasing
        How records are phased once they are all there; None if only those that overlap are.
    gvcf
        How a gVCF is spelled; None makes none.
    all_sites
        Whether bases as in the reference have lines, too.
    given
        Sites that have a record whatever the reads show; None where none are given.
    discovers
        Whether what calling finds is written.
    engine_address
        Where to ask an engine that all workers share; None gives each its own.
    """

    inputs: Inputs
    evidence: EvidenceOptions
    profile: LibraryProfile
    model: str
    engine: str
    device: str
    precision: str
    batch_size: int
    ploidy: PloidyMap
    genotype: GenotypeOptions
    triage: bool = True
    phasing: Phasing | None = None
    gvcf: GvcfFormat | None = None
    all_sites: bool = False
    given: GivenSites | None = None
    discovers: bool = True
    engine_address: EngineAddress | None = None


ModelChoice = WorkerPlan | CallOptions
"""What says which model answers, and what runs it."""


def model_of(plan: WorkerPlan) -> CallingModel:
    """Load the model of a plan.

    Raises
    ------
    ModelError
        As `load_engine` and `calling_model` do.
    """
    return _with_engine(_engine_of(plan), plan)


def load_model(choice: ModelChoice) -> CallingModel:
    """Load a model into this process, network and all.

    Raises
    ------
    ModelError
        As `load_engine` and `calling_model` do.
    """
    return _with_engine(_own_engine(choice), choice)


def _with_engine(engine: Engine, choice: ModelChoice) -> CallingModel:
    return calling_model(
        engine, choice.model, every_picture=not choice.triage, batch_size=choice.batch_size
    )


def _own_engine(choice: ModelChoice) -> Engine:
    return load_engine(
        choice.model, choice.device, choice.precision, threads=1, engine=choice.engine
    )


def _engine_of(plan: WorkerPlan) -> Engine:
    if plan.engine_address is not None:
        return plan.engine_address.engine()
    # Only what the user chose can be wrong, which is said before any work.
    chosen = {plan.device, plan.precision, plan.engine} != {"auto"}
    if chosen or plan.model not in BUNDLED_SHA256:
        return _own_engine(plan)
    return DeferredEngine(*weights_path(plan.model), partial(_own_engine, plan))
