"""Fixtures that any test may ask for; a server starts only when a test asks for it."""

import os

from hypothesis import HealthCheck, settings

# Tests make and drop databases and topics at will: never on a server that a person has named for a stack of their own.
for _name in ("HOCBA_DATABASE", "HOCBA_KAFKA", "HOCBA_STATE"):
    os.environ.pop(_name, None)

# A time limit per example measures the machine's other work, not the code. Build servers try the same examples each
# time, so that a change is judged by itself; people's machines go on looking for new ones.
settings.register_profile("hocba", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hocba")

pytest_plugins = ["tests.support.postgres", "tests.support.kafka", "tests.support.s3"]
