"""The rows of ./dev bench. Each first shows that answers are right, then measures both sides."""

import dataclasses
import json
import re
import time

import baseline
import data
import loads
from compare import Row
from database import Refused
from gateway_rows import GATEWAY_ROWS
from loads import CONNECTIONS

HOT_KEYS = 10_000
SPANS = 512  # of a request, as spans.lua makes them
SPAN_CONNECTIONS = 16  # the queue takes 20,000 waiting spans
READ_SPANS = 20_000
SESSION_SPANS = 10_000
VOTE = {"thumbs_up": False, "reason": "Response was too vague",
        "expected_output": "Should provide specific steps"}


def expect(condition, what):
    if not condition:
        raise Refused(f"a wrong answer: {what}")


def settled(count):
    """A count that no longer grows by what an earlier client left under way."""
    now = count()
    while True:
        time.sleep(0.5)
        before, now = now, count()
        if now == before:
            return now


def acknowledged(count, run, *, rows_of_request=1, connections=CONNECTIONS):
    """Runs something that stores so many rows a request, and looks whether as many are there as were acknowledged: not one
    less, and not more than were under way when the client left."""
    before = settled(count)
    finished = run()
    stored, promised = count() - before, finished.requests * rows_of_request
    expect(promised <= stored <= promised + connections * rows_of_request,
           f"{promised} rows were acknowledged in {finished.requests / finished.rate:.1f} s, {stored} are stored")
    return finished


# Writes

def votes_target(identifier):
    return f"/v1/prompts/support-bot/completions/{identifier}/feedback"


def check_votes(bench):
    """Votes are answered with what they said, and each makes one row."""
    count = lambda: bench.ours.number("select count(*) from feedback")
    before, prefix = count(), f"check-{bench.next_run()}"
    for number in range(20):
        identifier = f"{prefix}-{number}"
        stored = bench.send("POST", votes_target(identifier), VOTE)
        expect(stored.items() >= {**VOTE, "completion_id": identifier}.items(), stored)
        expect(bench.send("GET", votes_target(identifier)) == stored, "a vote read back")
    expect(count() == before + 20, f"20 votes made {count() - before} rows")


def upsert_baseline(bench, hot_keys=None):
    """The product's statement, and the row that it has stored."""
    sql, _ = bench.ours.statement("store_feedback", lambda: bench.send("POST", votes_target("pattern"), VOTE))
    stored = bench.ours.object("select * from feedback where target_text = 'pattern'")
    return baseline.upsert(bench.baseline, sql, stored, hot_keys=hot_keys)


def analyze(bench):
    for database in (bench.ours, bench.baseline):
        database.sql("vacuum analyze")


def new_votes(bench):
    """Both sides of write_new: functions of seconds and, where it is wanted, a rate; ours also of connections."""
    check_votes(bench)
    script, variables = upsert_baseline(bench)
    analyze(bench)
    request = bench.request("POST", votes_target("<id>"), json.dumps(VOTE))
    rows = "select count(*) from feedback"

    def ours(seconds, rate=None, connections=CONNECTIONS):
        ids = f"counter:bench-{bench.next_run():04d}-"
        return acknowledged(
            lambda: bench.ours.number(rows),
            lambda: bench.wrk(request, seconds, ids=ids, rate=rate, connections=connections), connections=connections)

    def its(seconds, rate=None):
        numbers = baseline.numbers_of_run(bench.next_run())
        return acknowledged(lambda: bench.baseline.number(rows), lambda: bench.pgbench(
            "feedback", script, {**variables, **numbers}, seconds, rate=rate))

    return ours, its


def write_new(bench):
    return bench.alternate(*new_votes(bench))


def write_hot(bench):
    check_votes(bench)
    script, variables = upsert_baseline(bench, HOT_KEYS)
    keys = bench.folder / "hot-keys"
    keys.write_text("".join(f"hot-{number}\n" for number in range(HOT_KEYS)), encoding="ascii")
    request = bench.request("POST", votes_target("<id>"), json.dumps(VOTE))
    writes = "select coalesce(sum(revision), 0) from feedback"

    def ours(seconds):
        return acknowledged(lambda: bench.ours.number(writes),
                            lambda: bench.wrk(request, seconds, ids=f"random:{keys}"))

    def its(seconds):
        numbers = baseline.numbers_of_run(bench.next_run())
        return acknowledged(lambda: bench.baseline.number(writes), lambda: bench.pgbench(
            "feedback", script, {**variables, **numbers}, seconds))

    # Before it counts, nearly all keys are there.
    for database, side, of_key in ((bench.ours, ours, "target_text like 'hot-%'"),
                                   (bench.baseline, its, "octet_length(target_text) < 6")):
        while database.number(f"select count(*) from feedback where {of_key}") < 0.95 * HOT_KEYS:
            side(2)
    analyze(bench)
    return bench.alternate(ours, its)


def write_p99_half(bench):
    """Each at half of what it can do, which is the better of two runs."""
    def at_half(measure):
        peak = max(measure(bench.seconds, None).rate for _ in range(2))
        return lambda seconds: measure(seconds, peak / 2)

    return bench.alternate(*map(at_half, new_votes(bench)))


def mint_request(bench):
    body = json.dumps({"resource_type": "eval_run", "resource_id": "<id>", "expires_in_seconds": 3600})
    return bench.request("POST", "/api/v1/feedback/token", body, id_width=len("run-0000-") + 10)


def mint_ids(bench):
    return f"counter:run-{bench.next_run():04d}-"


def check_mint(bench):
    """A minted token can be verified, and names what it was minted for. Returns it."""
    token = bench.send("POST", "/api/v1/feedback/token", {"resource_type": "eval_run", "resource_id": "check"})["token"]
    shown = bench.send("GET", f"/api/v1/feedback/token?token={token}")
    expect(shown["valid"] and shown["resource_id"] == "check", shown)
    return token


def minted_tokens(bench, count):
    """A file of at least so many tokens, a line each, none of which was ever used."""
    path, tokens = bench.folder / "tokens", []
    while len(tokens) < count:
        bench.wrk(mint_request(bench), bench.warm_seconds, ids=mint_ids(bench), save=path)
        for part in bench.folder.glob("tokens.*"):
            tokens += re.findall(r'"token":"([^"]+)"', part.read_text(encoding="ascii"))
            part.unlink()
    path.write_text("\n".join(tokens) + "\n", encoding="ascii")
    return path


def redeem(bench):
    token = check_mint(bench)
    bearer = {"Authorization": f"Bearer {token}"}
    stored = bench.send("POST", "/api/v1/feedback", VOTE, bearer)
    expect(stored.items() >= {**VOTE, "resource_id": "check"}.items(), stored)

    def provoke():
        bench.send("POST", "/api/v1/feedback", VOTE, {"Authorization": f"Bearer {check_mint(bench)}"})

    sql, _ = bench.ours.statement("store_feedback", provoke)
    script, variables = baseline.claim_and_upsert(
        bench.baseline, sql, bench.ours.object(f"select * from feedback where id = '{stored['id']}'"),
        bench.ours.object("select * from redemption limit 1"))
    analyze(bench)
    request = loads.Request("POST", "/api/v1/feedback", {"Authorization": "Bearer <id>"}, json.dumps(VOTE))
    # Only what was both claimed and stored counts; every claim must have its record.
    rows = ("select case when (select count(*) from redemption) = count(*) then count(*) end"
            " from feedback where via = 2")
    best_rate = 0  # of either side, to know how many tokens will do

    def remember(run):
        nonlocal best_rate
        best_rate = max(best_rate, run.rate)
        return run

    def ours(seconds):
        tokens = minted_tokens(bench, int(best_rate * seconds * 1.5))
        bench.ours.sql("checkpoint")
        return remember(acknowledged(lambda: bench.ours.number(rows),
                                     lambda: bench.wrk(request, seconds, ids=f"once:{tokens}")))

    def its(seconds):
        numbers = baseline.numbers_of_run(bench.next_run())
        return remember(acknowledged(lambda: bench.baseline.number(rows), lambda: bench.pgbench(
            "feedback", script, {**variables, **numbers}, seconds)))

    # The baseline comes first in each round.
    return bench.alternate(ours, its)


def mint(bench):
    check_mint(bench)
    healthz = bench.request("GET", "/healthz")
    return bench.alternate(lambda seconds: bench.wrk(mint_request(bench), seconds, ids=mint_ids(bench)),
                           lambda seconds: bench.wrk(healthz, seconds))


def spans(bench):
    count = lambda: bench.ours.number("select count(*) from span where trace_id is not null")
    before = count()
    bench.send("POST", "/spans", [
        {"id": f"{number:016x}", "trace_id": f"{bench.next_run():032x}", "name": "check",
         "started_at": "2026-05-29T20:54:19.746Z"} for number in range(1, 11)])
    expect(count() == before + 10, f"10 spans made {count() - before} rows")
    analyze(bench)
    request = bench.request("POST", "/spans", "<id>")

    def ours(seconds):
        run = acknowledged(count, lambda: bench.wrk(request, seconds, connections=SPAN_CONNECTIONS, script="spans.lua"),
                           rows_of_request=SPANS, connections=SPAN_CONNECTIONS)
        # What a span costs.
        return dataclasses.replace(run, requests=run.requests * SPANS, rate=run.rate * SPANS,
                                   cpu={name: cost / SPANS for name, cost in run.cpu.items()})

    return bench.alternate(ours, None)


# Reads

def make_judge(bench):
    """A judge on both sides. Returns its id and the id of the key that writes."""
    judges = f"/signals/projects/{bench.project_id}/automations"
    name = f"bench-{bench.next_run()}"
    judge = bench.send("POST", judges, {"name": name, "evaluation_type": "binary"})["id"]
    for table in ("prompt", "judge"):
        bench.copy(table)
    return judge, bench.ours.sql("select id from api_key limit 1")


def entity_target(bench, kind, identifier):
    return f"/projects/{bench.project_id}/feedback/{kind}/{identifier}"


def check_entity(bench, target, feedback, evaluations):
    entity = bench.send("GET", target)
    counts = entity["summary"]["human_feedback_count"], entity["summary"]["judge_evaluation_count"]
    kinds = [item["kind"] for item in entity["items"]]
    expect(counts == (feedback, evaluations) and kinds.count("human_feedback") == feedback
           and kinds.count("judge_evaluation") == evaluations, f"{counts} on {target}")


def span_reads(bench):
    """Both sides of read_span: functions of seconds; ours also of connections."""
    judge, key = make_judge(bench)
    rows = data.many_spans(READ_SPANS)
    for database in (bench.ours, bench.baseline):
        # Another row may have made them.
        if not database.number(f"select count(*) from span where span_id = {data.span_id(1)}"):
            database.sql(data.spans(bench.project_id, rows)
                         + data.items(bench.project_id, key, judge, rows, feedback=2, evaluations=1))
    analyze(bench)
    ids = bench.folder / "spans"
    ids.write_text(bench.ours.sql(f"select {data.span_id('n')} from generate_series(1, {READ_SPANS}) n") + "\n",
                   encoding="ascii")
    one = ids.read_text(encoding="ascii").split()[17]
    check_entity(bench, entity_target(bench, "span", one), 2, 1)
    # A page is read by itself, by the statement for one entity; whole entities are read several at a time.
    page = entity_target(bench, "span", one) + "?limit=1000"
    sql, parameters = bench.ours.statement("read_span", lambda: bench.send("GET", page))
    expression = f"('{data.SPAN_PREFIX}' || :number)"
    script, variables = baseline.read(sql, parameters, one, expression)
    script = rf"\set number 1000000000000000 + random(1, {READ_SPANS})" + "\n" + script
    request = bench.request("GET", entity_target(bench, "span", "<id>"))

    def ours(seconds, connections=CONNECTIONS):
        return bench.wrk(request, seconds, ids=f"random:{ids}", connections=connections)

    return ours, lambda seconds: bench.pgbench("aggregator", script, variables, seconds)


def read_span(bench):
    return bench.alternate(*span_reads(bench))


def read_session(bench):
    judge, key = make_judge(bench)
    # Items on ten of the session's spans, and as many on one span.
    session, some, one = data.session_spans(SESSION_SPANS), data.session_spans(7), data.one_span()
    bench.ours.sql(
        data.spans(bench.project_id, session) + data.spans(bench.project_id, one)
        + data.items(bench.project_id, key, judge, some, feedback=1, evaluations=0)
        + data.items(bench.project_id, key, judge, data.session_spans(3), feedback=0, evaluations=1)
        + data.items(bench.project_id, key, judge, one, feedback=7, evaluations=3))
    analyze(bench)
    targets = [entity_target(bench, kind, data.uuid_text(identifier))
               for kind, identifier in (("session", data.SESSION_ID), ("span", data.BIG_SPAN_ID))]
    for target in targets:
        check_entity(bench, target, 7, 3)
    return bench.alternate(*(lambda seconds, target=target: bench.wrk(bench.request("GET", target), seconds)
                             for target in targets))


ROWS = (
    Row("write_new", "votes on completions that had none, 64 connections; pgbench: the same upsert, a row at a time",
        "writes/s", 1.0, write_new),
    Row("write_hot", f"votes that replace one, on {HOT_KEYS:,} completions; pgbench: the same upsert", "writes/s", 1.0,
        write_hot),
    Row("redeem", "feedback with a token each; pgbench: claim and upsert in one statement", "writes/s", 1.0, redeem),
    Row("read_span", f"feedback of one of {READ_SPANS:,} spans, 3 items each; pgbench: the aggregator's statement",
        "reads/s", 0.7, read_span),
    Row("read_session", f"a session of {SESSION_SPANS:,} spans with 10 items; ours: a span with 10 items", "reads/s", 0.8,
        read_session),
    Row("mint", "tokens; the gateway's /healthz", "tokens/s", 0.25, mint),
    *GATEWAY_ROWS,
    Row("spans", f"spans in requests of {SPANS}; CPU is of one span", "spans/s", 20_000, spans),
    Row("write_p99_half", "p99 of votes at half of the peak, from when a request is sent; pgbench at half of its own", "ms",
        None, write_p99_half, value=lambda run: run.p99, lower_is_better=True),
)
