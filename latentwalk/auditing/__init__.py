"""The audit: what a release still gives away about the people behind it.

`PrivacyAuditor` takes the members and held-out subjects in ``fit``, and ``audit`` gives an
`AuditReport` with a verdict, its figures and its controls.
"""

from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._controls import Control
from latentwalk.auditing._figures import ROC_FPRS, SpaceFigures
from latentwalk.auditing._matches import NearestMatches
from latentwalk.auditing._report import AuditReport, AuditSets

__all__ = [
    "ROC_FPRS",
    "AuditReport",
    "AuditSets",
    "Control",
    "NearestMatches",
    "PrivacyAuditor",
    "SpaceFigures",
]
