"""The rows of ./dev bench that need no database of their own: the gateway and its codec beside others."""

import contextlib
import functools
import http.client
import json
import pathlib
import socket
import subprocess
import time

import loads
import machine
from compare import Row
from database import Refused

PROGRAMS = pathlib.Path("build/release/tests")
ENVOY = pathlib.Path("build/envoy/bin/envoy")
ECHOED = {"feedback": {
    "completion_id": "550e8400-e29b-41d4-a716-446655440000", "thumbs_up": False,
    "reason": "The answer names the right page, but none of the steps that the customer asked for.",
    "expected_output": "Should provide specific steps", "metadata": {"channel": "web", "page": "checkout"},
    "created_by": {"id": "user-123", "email": "user-123@example.com", "name": "Alice"}}}


@contextlib.contextmanager
def started(*command):
    """A program in the background, which ends with the block."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def address_of(process):
    """The address that echo_bench prints once it serves."""
    line = process.stdout.readline()
    if not line.startswith("listen="):
        raise Refused(f"{process.args[0]} did not start")
    return line.strip().partition("=")[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def envoy_command(bench, backend):
    """Envoy before the backend, and its address."""
    port = free_port()
    text = (loads.FOLDER / "envoy.yaml").read_text(encoding="utf-8")
    for name, value in {"LISTEN_PORT": port, "BACKEND_PORT": backend.rpartition(":")[2], "ADMIN_PORT": 0,
                        "DESCRIPTORS": (PROGRAMS / "echo.binpb").absolute()}.items():
        text = text.replace(f"@{name}@", str(value))
    path = bench.folder / "envoy.yaml"
    path.write_text(text, encoding="utf-8")
    return ((ENVOY, "-c", path, "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"),
            f"127.0.0.1:{port}")


def check_echo(address):
    """The answer holds what was asked. A server that starts has some seconds."""
    for attempt in range(100):
        connection = http.client.HTTPConnection(address, timeout=5)
        try:
            connection.request("POST", "/v1/echo", json.dumps(ECHOED["feedback"]), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except OSError:
            content = None
        finally:
            connection.close()
        if content is not None and answer.status == 200:
            if json.loads(content) != ECHOED:
                raise Refused(f"the echo at {address} answered something else")
            return
        time.sleep(0.1)
    raise Refused(f"no echo at {address}")


def transcode(bench):
    request = loads.Request("POST", "/v1/echo", body=json.dumps(ECHOED["feedback"]))
    with started(PROGRAMS / "echo_bench", "backend") as backend:
        backend_address = address_of(backend)
        envoy, envoy_address = envoy_command(bench, backend_address)
        with (started(PROGRAMS / "echo_bench", "gateway", "--backend", backend_address) as gateway,
              started(*envoy) as other):
            gateway_address = address_of(gateway)
            check_echo(gateway_address)
            check_echo(envoy_address)

            def side(process, address):
                processes = machine.Processes({"gateway": process.pid, "backend": backend.pid})
                return lambda seconds: loads.wrk(f"http://{address}", request, seconds, processes, threads=1)

            return bench.alternate(side(gateway, gateway_address), side(other, envoy_address))


@functools.cache
def codec_lines():
    """What codec_bench says of each of its rows, by name."""
    finished = subprocess.run([PROGRAMS / "codec_bench"], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise Refused(finished.stderr.strip())
    return {line["name"]: line for line in map(json.loads, finished.stdout.splitlines())}


def codec(name):
    def measure(_):
        found = codec_lines()[name]
        run = lambda nanoseconds: loads.Run(0, nanoseconds, None, None, {})
        return [run(ours) for ours, _ in found["rounds"]], [run(its) for _, its in found["rounds"]]
    return measure


GATEWAY_ROWS = (
    Row("transcode", "a unary echo through the gateway, one event loop; Envoy's grpc_json_transcoder, one worker",
        "requests/s", 1.5, transcode),
    Row("codec_parse", "a feedback body from JSON; protobuf's json_util", "ns", 8, codec("codec_parse"),
        lower_is_better=True),
    Row("codec_print", "an answer of 100 items to JSON; protobuf's json_util", "ns", 6, codec("codec_print"),
        lower_is_better=True),
)
