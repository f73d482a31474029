"""./dev bench --scale: how cost grows with rows, with what is asked for, with connections, and with nothing at all."""

import concurrent.futures
import http.client
import json
import statistics
import time
import urllib.parse

import data
import machine
import report
from rows import analyze, check_entity, entity_target, expect, make_judge, new_votes, span_reads

MILLION = 1_000_000
SIZES = (0, MILLION, 5 * MILLION)
ITEMS = {10: 3_000, 1_000: 200, 100_000: 6}  # and how often each is read
READERS = ("gateway", "aggregator")


def finding(name, value, unit, target=None, at_most=True):
    """A line of the result; with a target it is met or not."""
    met = None if target is None else value <= target if at_most else value >= target
    return {"name": name, "value": value, "unit": unit, "target": target, "met": met}


def print_findings(findings):
    verdicts = {None: "reported", True: "ok", False: "MISSED"}
    report.say("\n" + report.table(
        ["what", "value", "unit", "target", ""],
        [[one["name"], report.number(one["value"]), one["unit"], report.number(one["target"]), verdicts[one["met"]]]
         for one in findings]) + "\n")


# An idle stack

def idle(bench):
    time.sleep(5)  # what start and migration left to do is over
    usage = machine.Usage(bench.processes)
    usage.start()
    time.sleep(10)
    shares = {name: share * 100 for name, share in usage.stop().items()}
    own = sum(share for name, share in shares.items() if name in bench.pids)
    return [*(finding(f"idle_{name}", share, "% of a core") for name, share in shares.items()),
            finding("idle_own_processes", own, "% of a core", 1)]


# Writes and reads by the number of connections

def connections(bench):
    sides = {"write": new_votes(bench)[0], "read": span_reads(bench)[0]}
    findings = []
    for count in (1, 64, 512):
        for kind, measure in sides.items():
            run = measure(bench.seconds, connections=count)
            report.say(f"    {kind} with {count} connections: {report.number(run.rate)}/s, p99 {report.number(run.p99)} ms")
            findings += [finding(f"{kind}_{count}_connections", run.rate, "requests/s"),
                         finding(f"{kind}_{count}_connections_p99", run.p99, "ms")]
    return findings


# Reads by the number of items

def read_often(bench, target, times):
    """Reads one entity again and again on one connection. Returns CPU microseconds a read of gateway and aggregator."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(bench.url).netloc, timeout=120)
    cost = lambda: sum(machine.own_seconds(bench.pids[name]) for name in READERS)
    before = cost()
    for _ in range(times):
        connection.request("GET", target, headers=bench.authorization)
        answer = connection.getresponse()
        while answer.read(1 << 20):
            pass
        expect(answer.status == 200, f"{answer.status} on a read of many items")
    connection.close()
    return (cost() - before) / times * 1e6


def items(bench):
    judge, key = make_judge(bench)
    targets, costs = {}, {}
    for count in ITEMS:
        digits = f"7{count:031d}"
        span = data.one_span(digits)
        bench.ours.sql(data.spans(bench.project_id, span) + data.items(
            bench.project_id, key, judge, span, feedback=count * 7 // 10, evaluations=count * 3 // 10))
        targets[count] = entity_target(bench, "span", data.uuid_text(digits))
    analyze(bench)
    for count, target in targets.items():
        check_entity(bench, target, count * 7 // 10, count * 3 // 10)
    findings = []
    for count, target in targets.items():
        pids = {name: bench.pids[name] for name in READERS}
        before = {name: machine.memory_kib(pid, "VmRSS") for name, pid in pids.items()}
        for pid in pids.values():
            machine.reset_peak(pid)
        costs[count] = read_often(bench, target, ITEMS[count])
        report.say(f"    {count} items: {report.number(costs[count])} us of CPU a read")
        findings.append(finding(f"read_{count}_items_cpu_per_item", costs[count] / count, "us",
                                4 if count == max(ITEMS) else None))
        for name, pid in pids.items():
            grown = (machine.memory_kib(pid, "VmHWM") - before[name]) / 1024
            findings.append(finding(f"read_{count}_items_{name}_memory", grown, "MiB", 32))
    few, some, many = costs
    # What an item adds, without what a request costs by itself.
    for less, more in ((few, some), (some, many)):
        findings.append(finding(f"item_between_{less}_and_{more}", (costs[more] - costs[less]) / (more - less), "us", 4))
    return findings


# Writes and reads by the number of rows

def load(bench, key, first, last):
    """Feedback number first + 1 to last, two on a span, in two sessions at once."""
    middle = (first + last) // 2
    halves = [(first // 2, middle // 2), (middle // 2, last // 2)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda half: bench.ours.sql(data.old_feedback(bench.project_id, key, *half)), halves))


def rows(bench):
    """Beside pgbench on a table that stays small, since minutes lie between one size and the next, in which the machine may
    have become another."""
    sides = {"write": new_votes(bench), "read": span_reads(bench)}
    key = bench.ours.sql("select id from api_key limit 1")
    findings, beside, loaded = [], {}, 0
    for size in SIZES:
        if size > loaded:
            began = time.monotonic()
            load(bench, key, loaded, size)
            loaded = size
            report.say(f"    {size:,} rows, after {time.monotonic() - began:.0f} s")
        analyze(bench)
        for kind, both in sides.items():
            report.say(f"    {kind} at {size:,} rows")
            ours, its = (statistics.median(run.rate for run in runs) for runs in bench.alternate(*both))
            beside[kind, size] = ours / its
            findings += [finding(f"{kind}_at_{size}_rows", ours, "requests/s"),
                         finding(f"{kind}_at_{size}_rows_to_pgbench", ours / its, "ratio")]
            if size:
                findings.append(finding(f"{kind}_at_{size}_rows_to_empty", beside[kind, size] / beside[kind, 0], "ratio",
                                        0.9 if kind == "write" else None, at_most=False))
    return findings


# The table of feedback is empty at first only.
SCALE = {"idle": idle, "rows": rows, "connections": connections, "items": items}


def run_scale(bench, names):
    """Measures all, or those of the names, and writes scale.json: a list of findings."""
    findings = []
    for name, measure in SCALE.items():
        if not names or name in names:
            report.say(f"==> {name}")
            found = measure(bench)
            print_findings(found)
            findings += found
    path = bench.folder / "scale.json"
    path.write_text(json.dumps({"findings": findings}, indent=1) + "\n", encoding="utf-8")
    report.say(f"{path} is written.")
