"""A port is looked at before a server is started on it."""

import socket

import pytest

from eegdiffusion.core.runtime import ports
from eegdiffusion.core.runtime.errors import InputError


@pytest.mark.parametrize("text", ["abc", "99999", "0", "-1", "80.5", "80 80", "٣"])
def test_what_is_no_port_is_named_with_its_variable(monkeypatch, text):
    monkeypatch.setenv("SOME_PORT", text)
    with pytest.raises(InputError, match="SOME_PORT: must be a port, 1 to 65535"):
        ports.port_of("SOME_PORT", 8080)


def test_a_variable_names_the_port_or_the_default_holds(monkeypatch):
    monkeypatch.setenv("SOME_PORT", "65535")
    assert ports.port_of("SOME_PORT", 8080) == 65535
    monkeypatch.setenv("SOME_PORT", "")
    assert ports.port_of("SOME_PORT", 8080) == 8080


def test_a_busy_port_is_refused_and_a_free_one_is_not():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"--port: port {port} of 127\.0\.0\.1 is in use"):
            ports.require_free(port, "127.0.0.1", "--port")
        with pytest.raises(InputError, match="is in use"):
            ports.require_free(port, "0.0.0.0", "--port")
    ports.require_free(port, "127.0.0.1", "--port")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(InputError, match="--host: nothing can listen at port 5001 of"):
        ports.require_free(5001, host, "--host")
