"""Stands for ``python`` or ``dvc``: asks the fork server beside it to run the command, and ends as that process does.

It needs no more than an interpreter without site-packages, and runs what the server does not serve by itself. Installed
by :mod:`tests.warm.fork_server`, which writes the first lines: ``PYTHON``, ``SOCKET`` and ``PROJECT``.
"""

# ruff: noqa: F821

import json
import os
import signal
import socket
import struct
import sys


def _serve(program, words):
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(SOCKET)
    except OSError:
        return
    request = {"program": program, "argv": words, "cwd": os.getcwd(), "environment": dict(os.environ)}
    request["python"] = os.path.join(os.path.dirname(SOCKET), "python")
    body = json.dumps(request).encode()
    socket.send_fds(connection, [struct.pack("!I", len(body))], [0, 1, 2])
    connection.sendall(body)
    (pid,) = struct.unpack("!i", connection.recv(4, socket.MSG_WAITALL))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: os.kill(pid, received))
    answer = connection.recv(4, socket.MSG_WAITALL)
    status = struct.unpack("!i", answer)[0] if len(answer) == 4 else 70
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    os._exit(status)


def _main():
    program, words = os.path.basename(sys.argv[0]), sys.argv[1:]
    if words[:2] == ["-m", "dvc"]:
        program, words = "dvc", words[2:]
    if program == "dvc" or (words[:1] == ["-m"] and words[1].partition(".")[0] in PROJECT):
        _serve(program, words)
    real = PYTHON if program == "python" else os.path.join(os.path.dirname(PYTHON), program)
    os.execv(real, [real, *words])


_main()
