"""A real Kafka broker for the test run, and one of its own for a test that stops or kills it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from services.stack import kafka as stack_kafka
from services.stack.kafka import Broker
from tests.support.places import scratch_places


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """One broker for the whole test run. Use topics and groups with `topic_prefix`; never stop it."""
    with scratch_places("kafka") as places, stack_kafka.running(places, quick=True) as broker:
        yield broker


@pytest.fixture
def own_kafka() -> Iterator[Broker]:
    """A fresh broker for this test alone, to be stopped, killed and started again (about 1 s to start)."""
    with scratch_places("kafka") as places, stack_kafka.running(places, quick=True) as broker:
        yield broker


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test has: `test-3f2a….`"""
    return f"test-{uuid.uuid4().hex[:12]}."
