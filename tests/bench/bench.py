#!/usr/bin/env python3
"""./dev bench: the product beside what it stands on, on one machine in one run. Runs beside a stack (with_stack), on a
cluster of its own. Ends with 0 when there is a result, also of missed targets, and with 1 when there is none."""

import argparse
import http.client
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse

import loads
import machine
import report
from compare import result_of
from database import Database, Refused
from report import say
from rows import ROWS
from scale import SCALE, run_scale

# What a write may not be spared.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "128MB",
           "wal_level": "replica"}


class Bench:
    """What rows measure with: the stack, the database below it, another database with the same schema for baselines, so that
    each side has only its own rows in its tables, and both have grown alike."""

    def __init__(self, folder, seconds, warm_seconds, rounds):
        environment = os.environ
        self.folder, self.seconds, self.warm_seconds, self.rounds = folder, seconds, warm_seconds, rounds
        self.url = environment["VERDICT_URL"]
        self.project_id = environment["VERDICT_PROJECT_ID"]
        self.authorization = {"Authorization": "Bearer " + environment["VERDICT_API_KEY"]}
        self.ours = Database(environment["VERDICT_DATABASE_URL"])
        self.check_durability()
        self.baseline = self.ours.copy_from_template("bench_baseline")
        for table in ("organization", "project", "app_user", "prompt"):
            self.copy(table)
        self.pids = {name: int(environment[f"VERDICT_{name.upper()}_PID"])
                     for name in ("gateway", "token", "feedback", "aggregator")}
        self.processes = machine.Processes(self.pids, self.ours.postmaster())
        self._runs = 0

    def check_durability(self):
        for setting, needed in DURABLE.items():
            value = self.ours.sql(f"show {setting}")
            if value != needed:
                raise Refused(f"PostgreSQL has {setting} = {value}, not its default {needed}")

    def copy(self, table):
        """Makes the baseline's table equal to ours."""
        rows = self.ours.sql(f"copy {table} to stdout")
        self.baseline.sql(f"truncate {table} cascade;\ncopy {table} from stdin;\n{rows}\n\\.\n")

    def next_run(self):
        """A number that no run before had."""
        self._runs += 1
        return self._runs

    def send(self, method, target, body=None, headers=None):
        """One request, whose answer must be a 200. Returns the answer's JSON."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=60)
        headers = {**self.authorization, **(headers or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status != 200:
            raise Refused(f"{method} {target.partition('?')[0]} answered {answer.status}: {content[:300]!r}")
        return json.loads(content)

    def request(self, method, target, body="", **more):
        return loads.Request(method, target, self.authorization, body, **more)

    def wrk(self, request, seconds, **options):
        return loads.wrk(self.url, request, seconds, self.processes, **options)

    def pgbench(self, role, script, variables, seconds, **options):
        return loads.pgbench(self.baseline, role, script, variables, seconds, self.processes, self.folder, **options)

    def alternate(self, ours, baseline):
        """Runs both in turn, each once before what counts. `ours` and `baseline` (or None) take seconds and return a Run."""
        sides = [side for side in ((ours, "ours"), (baseline, "baseline")) if side[0]]
        runs = {name: [] for _, name in sides}
        for turn in range(self.rounds + 1):
            for measure, name in reversed(sides):
                # Pages that are written for the first time after a checkpoint cost more: both begin with one.
                self.ours.sql("checkpoint")
                run = measure(self.seconds if turn else self.warm_seconds)
                say(f"    {name:8} {f'round {turn}' if turn else 'warm-up'}: {report.number(run.rate)}/s, "
                    f"p50 {report.number(run.p50)} ms, p99 {report.number(run.p99)} ms")
                if turn:
                    runs[name].append(run)
        return runs["ours"], runs.get("baseline")


def note(bench, quick):
    """What the figures hold for."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True,
                            check=False).stdout.strip()
    settings = ", ".join(f"{name} {bench.ours.sql(f'show {name}')}" for name in DURABLE)
    version = bench.ours.sql("show server_version")
    return (f"Machine: {machine.description()}; clients run on it too\nPostgreSQL {version}: {settings}\n"
            f"Commit {commit or 'unknown'}" + ("; QUICK: short runs, for a first look only" if quick else ""))


def run_rows(bench, names, caption):
    results = []
    for row in ROWS:
        if names and row.name not in names:
            continue
        say(f"==> {row.name}: {row.title}")
        try:
            results.append(result_of(row, *row.measure(bench)))
        except Refused as refusal:
            raise Refused(f"{row.name}: {refusal}") from None
    say(f"\n{caption}\n\n{report.main_table(results)}\n\n{report.cpu_table(results)}")
    if any(result.unsteady for result in results):
        say("\n~ rounds of one side differ by more than 25 %")
    report.write_json(pathlib.Path("bench.json"), results)
    (bench.folder / "bench.svg").write_text(report.svg(results, "./dev bench: ours / baseline; the line is the target"),
                                            encoding="utf-8")
    say(f"\nbench.json and {bench.folder}/bench.svg are written.")


def arguments():
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="./dev bench", allow_abbrev=False)
    parser.add_argument("--scale", action="store_true", help="how cost grows with rows, items and connections")
    parser.add_argument("--quick", action="store_true", help="short runs, for a first look")
    parser.add_argument("--only", metavar="NAME", action="append", default=[],
                        help=f"a row, several times for several: {', '.join(names)}; with --scale: {', '.join(SCALE)}")
    parser.add_argument("--check-arguments", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if unknown := [name for name in parsed.only if name not in (SCALE if parsed.scale else names)]:
        parser.error(f"no row is called {unknown[0]}; there are {', '.join(SCALE if parsed.scale else names)}")
    return parsed


def main():
    parsed = arguments()
    if parsed.check_arguments:
        return 0
    try:
        bench = Bench(pathlib.Path("build/bench"), *((2, 1, 3) if parsed.quick else (5, 2, 3)))
        caption = note(bench, parsed.quick)
        say(caption)
        if parsed.scale:
            run_scale(bench, parsed.only)
        else:
            run_rows(bench, parsed.only, caption)
    except Refused as refusal:
        print(f"bench: no result: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
