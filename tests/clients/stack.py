"""The stack that the clients are pointed at, and what it says that it has stored."""

import http.server
import os
import socket
import threading
import unittest
import uuid

import requests

URL = os.environ["VERDICT_URL"]
KEY = os.environ["VERDICT_API_KEY"]
PROJECT = os.environ["VERDICT_PROJECT_ID"]
GRPC_ADDRESS = os.environ["VERDICT_FEEDBACK_ADDR"]
AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}


def call(method, path, **arguments):
    """One request with the project's key; its JSON, which must be a success."""
    answer = requests.request(method, URL + path, headers=AUTHORIZATION, timeout=10, **arguments)
    if not answer.ok:
        raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json()


def feedback_on(entity_type, entity_id):
    """The unified read."""
    return call("GET", f"/projects/{PROJECT}/feedback/{entity_type}/{entity_id}")


def spans_of(trace_id):
    return call("GET", "/spans", params={"trace_id": trace_id})


def vote(completion_id, person, thumbs_up=True):
    path = f"/v1/prompts/support-bot/completions/{completion_id}/feedback"
    return call("POST", path, json={"thumbs_up": thumbs_up, "created_by": {"id": person}})


def new_judge(**values):
    """A judge with a name of its own, unless one is given."""
    values = {"name": f"judge {uuid.uuid4()}", "evaluation_type": "binary"} | values
    return call("POST", f"/signals/projects/{PROJECT}/automations", json=values)


def without(item, *names):
    """An item but for what a test cannot know beforehand."""
    return {name: value for name, value in item.items() if name not in names}


class LossyProxy:
    """Passes connections on to a server, but breaks the first one off as soon as the client says something."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with self._listener:
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                if self.connections == 1:
                    client.recv(1)
                    client.close()
                    continue
                server = socket.create_connection(self._server)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # the other end is gone
            source.close()


class ForgetfulProxy(http.server.ThreadingHTTPServer):
    """Passes requests on to the gateway, but answers the first one with 503, as if its answer had been lost."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Forwarder)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.statuses = []  # of the gateway's answers
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Forwarder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() in ("authorization", "content-type", "content-encoding")}
        answer = requests.post(URL + self.path, data=self._body(), headers=headers, timeout=10)
        self.server.statuses.append(answer.status_code)
        is_first = len(self.server.statuses) == 1
        self.send_response(503 if is_first else answer.status_code)
        if is_first:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", answer.headers["Content-Type"])
        body = b"" if is_first else answer.content
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


def main():
    unittest.main(verbosity=2)
