"""The audit: what a release still gives away about the people behind it.

`PrivacyAuditor` takes the members and held-out subjects in ``fit``, and ``audit`` gives an
`AuditReport` with a verdict, its figures and its controls, from a panel of attacks.
`audit_stages` shows which stage exposes the members (`audit_pipeline` makes the stages),
`planted_positives` what would have been found, and `recommend_k` how large k must be.
`audit_repeated_release` subtracts two releases of the same people, and `shadow_audit` attacks with
reruns of the method. `canary_audit` runs a whole pipeline once, and bounds its epsilon from below.
"""

from latentwalk.auditing._attacks._base import ATTACKS, MembershipAttack, register_attack
from latentwalk.auditing._attacks._discriminator import DiscriminatorAttack
from latentwalk.auditing._attacks._distance import (
    FewNearestAttack,
    OutstandingAttack,
    RelativeNearestAttack,
)
from latentwalk.auditing._attacks._downstream import DownstreamAttack
from latentwalk.auditing._attacks._inversion import InversionResidualAttack, LatentDistanceAttack
from latentwalk.auditing._attacks._knowledge import AttackerKnowledge
from latentwalk.auditing._attacks._linkage import Linkage, prototype_linkage
from latentwalk.auditing._attacks._local import LocalLikelihoodAttack, PlagiarismIndexAttack
from latentwalk.auditing._attacks._panels import PANELS, Panel
from latentwalk.auditing._attacks._parts import PartsAttack
from latentwalk.auditing._attacks._reidentification import (
    ReidentificationAttack,
    RetrainedReidentificationAttack,
)
from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._canaries import canary_audit
from latentwalk.auditing._inversion_gap import inversion_gap
from latentwalk.auditing._ladder import Ladder, audit_stages, recommend_k
from latentwalk.auditing._page._facts import ReleaseFacts
from latentwalk.auditing._per_record import NearestMatches
from latentwalk.auditing._pipeline import audit_pipeline
from latentwalk.auditing._planted import planted_positives
from latentwalk.auditing._repeated import RepeatedRelease, audit_repeated_release
from latentwalk.auditing._report import AuditReport
from latentwalk.auditing._results import (
    ROC_FPRS,
    AttackResult,
    AttributeDisclosure,
    AuditSets,
    AuditSettings,
    Control,
    InversionGap,
    LadderStage,
    Recognition,
    SpaceFigures,
    SubgroupFigures,
)
from latentwalk.auditing._shadow import ShadowAudit, ShadowResult, shadow_audit

__all__ = [
    "ATTACKS",
    "PANELS",
    "ROC_FPRS",
    "AttackResult",
    "AttackerKnowledge",
    "AttributeDisclosure",
    "AuditReport",
    "AuditSets",
    "AuditSettings",
    "Control",
    "DiscriminatorAttack",
    "DownstreamAttack",
    "FewNearestAttack",
    "InversionGap",
    "InversionResidualAttack",
    "Ladder",
    "LadderStage",
    "LatentDistanceAttack",
    "Linkage",
    "LocalLikelihoodAttack",
    "MembershipAttack",
    "NearestMatches",
    "OutstandingAttack",
    "Panel",
    "PartsAttack",
    "PlagiarismIndexAttack",
    "PrivacyAuditor",
    "Recognition",
    "ReidentificationAttack",
    "RelativeNearestAttack",
    "ReleaseFacts",
    "RepeatedRelease",
    "RetrainedReidentificationAttack",
    "ShadowAudit",
    "ShadowResult",
    "SpaceFigures",
    "SubgroupFigures",
    "audit_pipeline",
    "audit_repeated_release",
    "audit_stages",
    "canary_audit",
    "inversion_gap",
    "planted_positives",
    "prototype_linkage",
    "recommend_k",
    "register_attack",
    "shadow_audit",
]
