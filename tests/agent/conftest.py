from __future__ import annotations

import pytest
from agentproc import AgentProcess


@pytest.fixture(scope="module")
def agent():
    process = AgentProcess()
    yield process
    process.close()
