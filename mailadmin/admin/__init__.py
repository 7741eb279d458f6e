"""The operator's admin. What a service owns is read-only, or saved through the service."""

from mailadmin.admin import accounts, addresses, audit, domains, hosts

__all__ = ["accounts", "addresses", "audit", "domains", "hosts"]
