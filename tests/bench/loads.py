"""Load from wrk and from pgbench, and what came of it."""

import dataclasses
import json
import math
import os
import pathlib
import re
import subprocess
import time

from database import Refused
from machine import Usage

FOLDER = pathlib.Path(__file__).parent
CONNECTIONS = 64
# Of a run: its beginning, when clients connect, and its end do not count for the cost of a request.
WARM_SECONDS, LAST_SECONDS = 1.0, 0.2


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one side: requests that were answered, and their rate a second; p50 and p99 in milliseconds; CPU
    microseconds a request of each process."""

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: dict


def percentile(values, share):
    """The smallest value that is not exceeded by `share` of all."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _watched(command, environment, seconds, processes):
    """Runs a client to its end. Returns what it printed, and the CPU seconds a second of it and the processes."""
    client = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    try:
        usage = Usage(processes.beside("client", client.pid))
        time.sleep(min(WARM_SECONDS, seconds / 3))
        usage.start()
        time.sleep(seconds - min(WARM_SECONDS, seconds / 3) - LAST_SECONDS)
        cpu = usage.stop()
        out, err = client.communicate(timeout=60)
    except FileNotFoundError:  # of /proc: a process is gone
        client.kill()
        out, err = client.communicate()
        raise Refused(f"{command[0]} or a server ended early: {err.strip() or out.strip()}") from None
    finally:
        client.kill()
    if client.returncode != 0:
        raise Refused(f"{command[0]} failed: {err.strip() or out.strip()}")
    return out, cpu


def _per_request(cpu, rate):
    return {name: seconds / rate * 1e6 for name, seconds in cpu.items()}


@dataclasses.dataclass(frozen=True)
class Request:
    """What wrk sends again and again: one HTTP request, which has at most one `<id>`. Where that stands in the body, all
    ids must be `id_width` bytes wide."""

    method: str
    target: str
    headers: dict = dataclasses.field(default_factory=dict)
    body: str = ""
    id_width: int = 0

    def pieces(self):
        """The bytes before and behind the id."""
        length = len(self.body.encode()) + ("<id>" in self.body) * (self.id_width - len("<id>"))
        headers = {"Host": "bench", **self.headers}
        if self.body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(length)}
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        head, _, tail = ("\r\n".join(lines) + "\r\n\r\n" + self.body).partition("<id>")
        return head, tail


def parse_wrk(out):
    """The JSON object of requests.lua, when all went well. Raises Refused otherwise."""
    found = json.loads(out[out.rindex('{"requests"'):])
    errors = {name: found[name] for name in ("status", "connect", "read", "write", "timeout") if found[name]}
    if errors:
        raise Refused(f"wrk: {found['requests']} requests, and errors: {errors}")
    if found["exhausted"]:
        raise Refused("wrk: more requests than prepared ids")
    if found["requests"] == 0:
        raise Refused("wrk: no request was answered")
    return found


def wrk(url, request, seconds, processes, *, ids="none:", connections=CONNECTIONS, threads=2, rate=None, save=None,
        script="requests.lua"):
    """Sends requests for so many seconds as requests.lua says."""
    head, tail = request.pieces()
    environment = {"BENCH_HEAD": head, "BENCH_TAIL": tail, "BENCH_IDS": ids, "BENCH_FOLDER": str(FOLDER),
                   "BENCH_SEED": str(time.time_ns() // 10**6 % 2**31)}
    if rate:
        environment["BENCH_RATE"] = str(rate)
    if save:
        environment["BENCH_SAVE"] = str(save)
    out, cpu = _watched(
        ["wrk", f"-t{min(threads, connections)}", f"-c{connections}", f"-d{math.ceil(seconds)}s", "--timeout", "10s",
         "-s", str(FOLDER / script), url], environment, math.ceil(seconds), processes)
    found = parse_wrk(out)
    per_second = found["requests"] / found["microseconds"] * 1e6
    return Run(found["requests"], per_second, found["p50"] / 1e3, found["p99"] / 1e3, _per_request(cpu, per_second))


def parse_pgbench(out):
    """Transactions and their rate a second. Raises Refused when one failed."""
    failed = int(re.search(r"^number of failed transactions: (\d+)", out, re.MULTILINE)[1])
    if failed:
        raise Refused(f"pgbench: {failed} transactions failed")
    requests = int(re.search(r"^number of transactions actually processed: (\d+)", out, re.MULTILINE)[1])
    rate = float(re.search(r"^tps = ([\d.]+) \(without initial connection time\)", out, re.MULTILINE)[1])
    if requests == 0:
        raise Refused("pgbench: no transaction")
    return requests, rate


def parse_latencies(log):
    """Milliseconds from a pgbench log. With --rate it also has how late a transaction began, which is left out, as wrk
    does not know it either."""
    lines = [line.split() for line in log.splitlines()]
    return [(int(line[2]) - (int(line[6]) if len(line) > 6 else 0)) / 1e3 for line in lines]


def pgbench(database, role, script, variables, seconds, processes, folder, *, clients=CONNECTIONS, rate=None):
    """Runs a script, a statement a transaction, again and again. A part of the latencies is sampled through pgbench's
    log, which is cheap that way."""
    path, log = folder / "pgbench.sql", folder / "pgbench-log"
    path.write_text(script, encoding="utf-8")
    command = ["pgbench", "-n", "-M", "prepared", f"-c{clients}", f"-j{min(2, clients)}", f"-T{math.ceil(seconds)}",
               "-f", path, "--log", f"--log-prefix={log}", "--sampling-rate=" + ("1" if rate else "0.1")]
    command += [argument for name, value in variables.items() for argument in ("-D", f"{name}={value}")]
    if rate:
        command.append(f"--rate={rate}")
    command += ["-h", database.host, "-p", database.port, "-U", f"verdict_{role}", database.name]
    logs = []
    try:
        out, cpu = _watched([str(word) for word in command], {"PGPASSFILE": database.passfile},
                            math.ceil(seconds), processes)
    finally:
        for part in folder.glob("pgbench-log.*"):
            logs.append(part.read_text(encoding="ascii"))
            part.unlink()
    requests, per_second = parse_pgbench(out)
    latencies = parse_latencies("".join(logs))
    return Run(requests, per_second, percentile(latencies, 0.5), percentile(latencies, 0.99),
               _per_request(cpu, per_second))
