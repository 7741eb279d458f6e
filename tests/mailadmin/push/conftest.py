from __future__ import annotations

import pytest
from agentproc import AgentProcess, UnixProxy
from factories import make_host


@pytest.fixture
def agent():
    process = AgentProcess()
    yield process
    process.close()


@pytest.fixture
def host(agent, db):
    """A mail host that our agent serves."""
    host = make_host()
    host.agent_url = agent.url
    host.save()
    return host


@pytest.fixture
def line(agent, host):
    """A line to the agent that can be cut."""
    proxy = UnixProxy(agent.socket_path)
    host.agent_url = proxy.url
    host.save()
    yield proxy
    proxy.close()
