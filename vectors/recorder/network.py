"""The network between two Synapses on the loopback interface.

In front of each server stands a `Gate`, which ends TLS and passes requests on. A gate can lose, refuse, delay
or shorten what passes, so that the other server misses history.
"""

import datetime
import json
import ssl
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from homeserver import Json
from signedjson.sign import sign_json

REQUEST_SECONDS = 90


class Gate:
    """A listener on 127.0.0.1 in front of a homeserver.

    Args:
        base: the address to which it passes requests on.
        folder: where its certificate is written; None for a listener without TLS.

    Attributes:
        lost: rooms of which no transaction passes. The sender gets a good answer.
        stateless: rooms for which `/state` and `/state_ids` are refused.
        missing_limit: the most events of an answer to `/get_missing_events`; the newest pass.
        backfill_limit: the most events of an answer to `/backfill`; the newest pass.
        whole_joins: rooms whose `/send_join` asks for all members, whatever the joining server asked for.
        signer: the server that asks, the server that answers, and the key of the first, for `whole_joins`.
        released: while it is clear, requests for state wait.
        dropped: how many transactions were lost.
    """

    def __init__(self, base: str, folder: Path | None) -> None:
        self.lost: set[str] = set()
        self.stateless: set[str] = set()
        self.missing_limit: int | None = None
        self.backfill_limit: int | None = None
        self.whole_joins: set[str] = set()
        self.released = threading.Event()
        self.released.set()
        self.dropped = 0
        self.signer: tuple[str, str, Any] | None = None
        self._base = base
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, ssl.SSLError):
                    self.close_connection = True

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = gate.answer(self.command, self.path, dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST = _pass  # the names that the base class looks up

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        if folder is None:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(folder))
        # The handshake takes place in the thread of the connection, at its first read.
        self._http.socket = context.wrap_socket(
            self._http.socket, server_side=True, do_handshake_on_connect=False
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Return the status and body of the answer to a request."""
        parts = [unquote(part) for part in urlsplit(path).path.split("/")]
        endpoint, room_id = (parts[4], parts[5]) if len(parts) > 5 else ("", "")
        if endpoint == "send" and self._is_lost(json.loads(body)):
            self.dropped += 1
            return 200, b'{"pdus": {}}'
        if endpoint in ("state", "state_ids"):
            self.released.wait()
            if room_id in self.stateless:
                return 403, b'{"errcode": "M_FORBIDDEN", "error": "The gate gives no state of this room"}'
        if endpoint == "send_join" and room_id in self.whole_joins:
            path, headers = self._whole_join(method, path, headers, json.loads(body))
        status, answer = self._forward(method, path, headers, body)
        if status == 200 and endpoint == "get_missing_events" and self.missing_limit is not None:
            events = json.loads(answer)["events"]
            answer = json.dumps({"events": events[len(events) - self.missing_limit :]}).encode()
        if status == 200 and endpoint == "backfill" and self.backfill_limit is not None:
            document = json.loads(answer)
            newest_first = sorted(document["pdus"], key=lambda pdu: -pdu["depth"])
            answer = json.dumps(document | {"pdus": newest_first[: self.backfill_limit]}).encode()
        return status, answer

    def _is_lost(self, transaction: Json) -> bool:
        return any(pdu.get("room_id") in self.lost for pdu in transaction.get("pdus", ()))

    def _whole_join(
        self, method: str, path: str, headers: dict[str, str], content: Json
    ) -> tuple[str, dict[str, str]]:
        """Return the path and headers of a `/send_join` for the whole state, signed again."""
        assert self.signer is not None
        origin, destination, key = self.signer
        path = path.replace("omit_members=true", "omit_members=false")
        request = {"method": method, "uri": path, "origin": origin, "destination": destination}
        signed = sign_json(request | {"content": content}, origin, key)["signatures"][origin]
        ((key_id, value),) = signed.items()
        header = f'X-Matrix origin="{origin}",destination="{destination}",key="{key_id}",sig="{value}"'
        return path, headers | {"Authorization": header}

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        request = urllib.request.Request(self._base + path, method=method, data=body or None)
        for name in ("Authorization", "Content-Type"):
            if name in headers:
                request.add_header(name, headers[name])
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 502, json.dumps({"errcode": "M_UNKNOWN", "error": str(error)}).encode()


def _certificate(folder: Path) -> Path:
    """Write a self-signed certificate and its key, both new, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "gate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
