"""How this installation asks the live DNS: the panel's settings, as maildns wants them."""

from __future__ import annotations

from django.conf import settings

from maildns.resolver import Resolver, Settings


def resolver() -> Resolver:
    """Return a new resolver. It keeps what it learns: one for each run of checks."""
    return Resolver(resolver_settings())


def resolver_settings() -> Settings:
    return Settings(
        recursive=settings.DNS_RESOLVERS,
        overrides=settings.DNS_OVERRIDES,
        private_allowed=settings.DNS_PRIVATE_ADDRESSES,
    )
