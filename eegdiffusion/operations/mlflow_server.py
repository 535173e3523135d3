"""The MLflow server of the local store, which answers who has its token: its user."""

import os
import secrets
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

TOKEN = "token"
"""File beside the store with the token, this user's alone; parameter of an address that carries it."""

DENIED = (
    "This server answers its user alone: open the address that `make mlflow` printed, which carries a token. Programs "
    "take it from MLFLOW_TRACKING_TOKEN, e.g. MLFLOW_TRACKING_TOKEN=$(cat mlruns/token).\n"
)


def token_in(folder: Path) -> str:
    """Return the token of the store in a folder, made at the first start, so that bookmarks stay good.

    Only a file that nobody else may read counts.
    """
    path = folder / TOKEN
    if path.is_symlink() or not path.is_file() or path.stat().st_mode & 0o077 or path.stat().st_uid != os.getuid():
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()


class TokenRequired:
    """An ASGI application before another one: it lets those through who show the token.

    A browser shows it once, in the address, and gets a cookie in return; programs show it as a bearer. A browser sends
    the cookie for pages of this host's other ports too, and MLflow takes them for its own: only MLflow's pages count.

    Args:
        application: what answers them.
        token: the token.
        port: of the server; cookies are shared by all ports of a host.
    """

    def __init__(self, application: Any, token: str, port: int):
        self._application, self._token, self._cookie = application, token, f"eeg_mlflow_{port}"

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan" or self._is_shown(scope, dict(scope["headers"])):
            await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif (answer := self._entrance(scope)) is not None:
            await _answer(send, 303, answer, b"")
        else:
            await _answer(send, 401, {"content-type": "text/plain; charset=utf-8"}, DENIED.encode())

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode("utf-8", "replace"), self._token.encode())

    def _is_shown(self, scope: dict, headers: dict[bytes, bytes]) -> bool:
        kind, _, bearer = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer" and self._is_token(bearer.strip()):
            return True
        cookies: SimpleCookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
        return (
            self._cookie in cookies
            and self._is_token(cookies[self._cookie].value)
            and _asked_by_own_page(scope, headers)
        )

    def _entrance(self, scope: dict) -> dict[str, str] | None:
        """Return the headers of the answer to an address that carries the token: a cookie, and the address without."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == TOKEN and self._is_token(value) for name, value in query):
            return None
        others = urlencode([(name, value) for name, value in query if name != TOKEN])
        # One slash at the beginning: two would lead to another host.
        path = "/" + scope["raw_path"].decode("latin-1").lstrip("/\\")
        return {
            "location": path + (f"?{others}" if others else ""),
            "set-cookie": f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000",
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
        }


def _asked_by_own_page(scope: dict, headers: dict[bytes, bytes]) -> bool:
    """Whether a browser asks for a page of this server, by its address or a link to it, or for the user."""
    origin = headers.get(b"origin")
    if origin is not None and origin != b"http://" + headers.get(b"host", b""):
        return False
    if headers.get(b"sec-fetch-site", b"none") in (b"none", b"same-origin"):
        return True
    link = headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
    return link and scope.get("method") == "GET"


async def _answer(send: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    encoded.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def serve(store: str, folder: Path, host: str, port: int) -> None:
    """Serve a store until interrupted, in this process: whatever ends it leaves nothing behind.

    Args:
        store: address of the store, ``sqlite:///...``.
        folder: folder that artifacts of new experiments go to, below ``artifacts``, and that keeps the token.
        host: address to listen at.
        port: port to listen at.
    """
    import uvicorn
    from mlflow.server import constants
    from mlflow.server.handlers import initialize_backend_stores

    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: store,
        constants.REGISTRY_STORE_URI_ENV_VAR: store,
        constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: str((folder / "artifacts").resolve()),
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    # No jobs of generative AI's evaluation, for which the server would start a dozen processes.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    initialize_backend_stores(store, store, "mlflow-artifacts:/")
    from mlflow.server.fastapi_app import app  # reads the variables

    # An access log would hold the token of the address.
    uvicorn.run(TokenRequired(app, token_in(folder), port), host=host, port=port, log_level="warning", access_log=False)
