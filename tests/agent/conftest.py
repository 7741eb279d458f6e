from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from agentproc import AgentProcess


@pytest.fixture(scope="module")
def agent():
    process = AgentProcess()
    yield process
    process.close()


@pytest.fixture
def own_agent():
    """An agent for one test, which may kill it and change its files."""
    process = AgentProcess()
    yield process
    process.close()
