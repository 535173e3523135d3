"""Ports of this machine, looked at before a server is started on one."""

import errno
import os
import socket

from eegdiffusion.core.runtime.errors import InputError

LAST = 65535


def port_of(variable: str, default: int) -> int:
    """Return the port that an environment variable names.

    Args:
        variable: name of the variable.
        default: the port where it is unset or empty.

    Raises:
        InputError: it holds no number of a port.
    """
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= LAST):
        raise InputError(f"{variable}: must be a port, 1 to {LAST} (found {text!r})")
    return int(text)


def require_free(port: int, host: str, name: str) -> None:
    """Check that a server can listen on a port.

    Args:
        port: its number.
        host: address of this machine to listen at.
        name: option or variable that chose the port, which the error names.

    Raises:
        InputError: another program listens there, this user may not, or the machine has no such address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: what a server that has ended left behind does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"{name}: port {port} of {host} is in use; choose another, or end what listens there"
            ) from error
        raise InputError(f"{name}: nothing can listen at port {port} of {host}: {error.strerror}") from error
