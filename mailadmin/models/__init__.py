from mailadmin.models.accounts import Account, LimitOverride, Membership, Plan, User
from mailadmin.models.addresses import Address, Target
from mailadmin.models.audit import AuditDetail, AuditEvent
from mailadmin.models.domains import Domain, DomainClaim
from mailadmin.models.hosts import Drift, HostRow, MailHost
from mailadmin.models.mailboxes import Alias, Credential, Forward, Mailbox, SendingAlarm

__all__ = [
    "Account",
    "Address",
    "Alias",
    "AuditDetail",
    "AuditEvent",
    "Credential",
    "Domain",
    "DomainClaim",
    "Drift",
    "Forward",
    "HostRow",
    "LimitOverride",
    "MailHost",
    "Mailbox",
    "Membership",
    "Plan",
    "SendingAlarm",
    "Target",
    "User",
]
