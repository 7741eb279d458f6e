"""Those who hold a zone: a fake one, and real ones that are started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import pytest
from fakedns import Data, FakeResolver
from fakeprovider import FakeProvider
from holders import ZONE, knot_holder, pdns_provider, resolver_at
from pdns import PowerDns

from maildns.check import Servers
from maildns.providers.base import Provider


@dataclass
class Holder:
    """A provider of ZONE, and how to ask the server that shows what it holds."""

    provider: Provider
    resolver: Servers


@pytest.fixture(scope="module")
def pdns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PowerDns]:
    server = PowerDns(tmp_path_factory.mktemp("pdns"))
    yield server
    server.stop()


@pytest.fixture(params=["fake", "rfc2136 at Knot", "lexicon at PowerDNS"])
def hold(request: pytest.FixtureRequest, tmp_path) -> Iterator[Callable[[Data], Holder]]:
    """Hold ZONE with these data."""
    stops = []

    def holding(data: Data) -> Holder:
        data = deepcopy(data)
        if request.param == "fake":
            return Holder(FakeProvider(ZONE, data), FakeResolver(ZONE, {"ns": data}))
        if "Knot" in request.param:
            knot, provider = knot_holder(tmp_path, data)
            stops.append(knot.stop)
            return Holder(provider, resolver_at(knot.port))
        pdns: PowerDns = request.getfixturevalue("pdns")
        pdns.serve(ZONE, data)
        return Holder(pdns_provider(pdns.url), resolver_at(pdns.port))

    yield holding
    for stop in stops:
        stop()
