"""Unit tests open no socket: whoever needs a server belongs in tests/integration."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    disable_socket(allow_unix_socket=True)  # An event loop talks to itself over a socket pair.
    yield
    enable_socket()
