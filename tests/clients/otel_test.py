"""OpenTelemetry's exporters against the stack: Python's and JavaScript's, over HTTP and gRPC."""

import gzip
import json
import os
import pathlib
import subprocess
import unittest
import uuid

import grpc
import opentelemetry.exporter.otlp.proto.grpc.trace_exporter as otlp_grpc
import opentelemetry.exporter.otlp.proto.http.trace_exporter as otlp_http
import requests
from google.rpc.status_pb2 import Status
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import stack

CLIENTS = pathlib.Path(os.environ["VERDICT_CLIENTS"])
SESSION_NAMES = (
    "zeroeval.session.id", "session.id", "gen_ai.conversation.id", "langfuse.session.id",
    "traceloop.association.properties.session_id", "conversation.id", "session_id", "trace.session_id",
    "langsmith.trace.session_id", "mlflow.trace.session")


def plan_of(*roots, resource=None, leaf_name="leaf", event=None):
    """What to export: a trace root > step > leaf for each root's attributes."""
    return {"resource": resource or {}, "traces": [{"root": root, "leaf_name": leaf_name, "event": event}
                                                   for root in roots]}


class PythonExport:
    """Spans of a plan, and an exporter of OpenTelemetry's for Python that sends them."""

    def __init__(self, exporter, plan):
        self._exporter = exporter
        memory = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource(plan["resource"]))
        provider.add_span_processor(SimpleSpanProcessor(memory))
        tracer = provider.get_tracer("otel_test")
        self.ids = []
        for one in plan["traces"]:
            with tracer.start_as_current_span("root", attributes=one["root"]) as root:
                with tracer.start_as_current_span("step") as step:
                    with tracer.start_as_current_span(one["leaf_name"]) as leaf:
                        if one["event"]:
                            leaf.add_event(one["event"]["name"], one["event"]["attributes"])
            self.ids.append({
                "trace": trace.format_trace_id(root.get_span_context().trace_id),
                **{name: trace.format_span_id(span.get_span_context().span_id)
                   for name, span in (("root", root), ("step", step), ("leaf", leaf))}})
        self._spans = memory.get_finished_spans()

    def send(self):
        """Whether the exporter was content, and what it said."""
        return self._exporter.export(self._spans) == SpanExportResult.SUCCESS, ""

    def close(self):
        self._exporter.shutdown()


class JavaScriptExport:
    """The same in a process of Node.js."""

    def __init__(self, options, plan):
        self._process = subprocess.Popen(
            [CLIENTS / "venv/bin/node", pathlib.Path(__file__).with_name("otel_exporter.mjs")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.ids = self._ask({**options, **plan})

    def _ask(self, line):
        self._process.stdin.write(json.dumps(line) + "\n")
        answer = self._process.stdout.readline()
        if not answer:
            raise AssertionError(f"otel_exporter.mjs ended with {self._process.wait()}")
        return json.loads(answer)

    def send(self):
        result = self._ask({})
        return result["ok"], result["said"]

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=30)


class Exporter:
    """What every exporter must find, in subclasses that say how to make one: `export` of a plan to where `server` is."""

    shows_partial_success = False

    def setUp(self):
        self._open = []
        self.addCleanup(lambda: [export.close() for export in self._open])

    def new_export(self, plan, server=None):
        export = self.export(plan, server or self.server)
        self._open.append(export)
        return export

    def test_traces_with_each_session_attribute_sent_twice(self):
        sessions = {name: f"{name} {uuid.uuid4()}" for name in SESSION_NAMES}
        export = self.new_export(plan_of(*({name: session} for name, session in sessions.items())))
        for ids in export.ids:
            stack.vote(ids["leaf"], "before")
        self.assertEqual(export.send(), (True, ""))
        for ids in export.ids:
            stack.vote(ids["leaf"], "after", thumbs_up=False)
        self.assertEqual(export.send(), (True, ""))

        for session, ids in zip(sessions.values(), export.ids):
            with self.subTest(session):
                for entity_type, entity_id in (("trace", ids["trace"]), ("session", session)):
                    read = stack.feedback_on(entity_type, entity_id)
                    self.assertEqual(
                        [(item["created_by"]["id"], item["thumbs_up"], item["span_id"]) for item in read["items"]],
                        [("before", True, ids["leaf"]), ("after", False, ids["leaf"])])
                spans = {span["name"]: span for span in stack.spans_of(ids["trace"])}
                self.assertEqual(set(spans), {"root", "step", "leaf"})
                self.assertNotIn("parent_span_id", spans["root"])
                self.assertEqual(spans["step"]["parent_span_id"], spans["root"]["id"])
                self.assertEqual(spans["leaf"]["parent_span_id"], spans["step"]["id"])
                self.assertEqual({span["session_id"] for span in spans.values()}, {session})
                (one,) = stack.call("GET", "/traces", params={"session_id": session})
                self.assertEqual((one["name"], one["span_count"]), ("root", 3))

    def test_a_session_of_the_resource_counts_where_the_span_has_none(self):
        of_resource, of_span = f"resource {uuid.uuid4()}", f"span {uuid.uuid4()}"
        export = self.new_export(plan_of({}, {"session_id": of_span}, resource={"zeroeval.session.id": of_resource}))
        self.assertEqual(export.send(), (True, ""))
        for session, ids in zip((of_resource, of_span), export.ids):
            root = next(span for span in stack.spans_of(ids["trace"]) if span["name"] == "root")
            self.assertEqual(root["session_id"], session)

    def test_a_bad_span_is_refused_by_itself(self):
        export = self.new_export(plan_of({}, leaf_name="x" * 1001))
        content, said = export.send()
        self.assertTrue(content)
        (ids,) = export.ids
        self.assertEqual({span["name"] for span in stack.spans_of(ids["trace"])}, {"root", "step"})
        if self.shows_partial_success:
            self.assertIn(ids["leaf"], said)
            self.assertRegex(said, r'rejectedSpans"?:\s*"?1\b')

    def test_events_of_evaluation_become_evaluations(self):
        judge = stack.new_judge(evaluation_type="scored", score_min=0, score_max=1, pass_threshold=0.5)
        event = {"name": "gen_ai.evaluation.result",
                 "attributes": {"gen_ai.evaluation.name": judge["name"], "gen_ai.evaluation.score.value": 0.75,
                                "gen_ai.evaluation.explanation": "Helpful"}}
        export = self.new_export(plan_of({}, event=event))
        for _ in range(2):
            self.assertEqual(export.send(), (True, ""))
        (ids,) = export.ids
        (item,) = stack.feedback_on("trace", ids["trace"])["items"]
        self.assertEqual(
            (item["kind"], item["judge_name"], item["score"], item["evaluation_result"], item["evaluation_reason"],
             item["span_id"]), ("judge_evaluation", judge["name"], 0.75, True, "Helpful", ids["leaf"]))

    def test_an_evaluation_of_an_unknown_judge_is_said(self):
        name = f"nobody {uuid.uuid4()}"
        event = {"name": "gen_ai.evaluation.result",
                 "attributes": {"gen_ai.evaluation.name": name, "gen_ai.evaluation.score.value": 1}}
        export = self.new_export(plan_of({}, event=event))
        content, said = export.send()
        self.assertTrue(content)
        (ids,) = export.ids
        self.assertEqual(len(stack.spans_of(ids["trace"])), 3)
        self.assertEqual(stack.feedback_on("trace", ids["trace"])["items"], [])
        if self.shows_partial_success:
            self.assertIn(name, said)

    def test_a_key_that_is_not_valid_is_refused(self):
        self.assertFalse(self.new_export(plan_of({}), self.server_with_key("sk_bad")).send()[0])


class OverHttp(Exporter):
    server = (stack.URL, stack.KEY)

    @staticmethod
    def server_with_key(key):
        return stack.URL, key

    def test_503_is_retried_without_duplicates(self):
        with stack.ForgetfulProxy() as proxy:
            export = self.new_export(plan_of({}), (proxy.url, stack.KEY))
            (ids,) = export.ids
            stack.vote(ids["leaf"], "before")
            self.assertTrue(export.send()[0])
            self.assertEqual(proxy.statuses, [200, 200])
            proxy.shutdown()
        self.assertEqual(len(stack.spans_of(ids["trace"])), 3)
        self.assertEqual(stack.feedback_on("trace", ids["trace"])["summary"]["total"], 1)


class OverGrpc(Exporter):
    server = (stack.GRPC_ADDRESS, stack.KEY)

    @staticmethod
    def server_with_key(key):
        return stack.GRPC_ADDRESS, key


class PythonHttp(OverHttp, unittest.TestCase):
    compression = otlp_http.Compression.NoCompression

    def export(self, plan, server):
        url, key = server
        return PythonExport(otlp_http.OTLPSpanExporter(
            endpoint=f"{url}/v1/traces", headers={"Authorization": f"Bearer {key}"}, compression=self.compression), plan)


class PythonHttpGzip(PythonHttp):
    compression = otlp_http.Compression.Gzip


class PythonGrpc(OverGrpc, unittest.TestCase):
    compression = grpc.Compression.NoCompression

    def export(self, plan, server):
        address, key = server
        return PythonExport(otlp_grpc.OTLPSpanExporter(
            endpoint=f"http://{address}", insecure=True, headers=(("authorization", f"Bearer {key}"),),
            compression=self.compression), plan)

    def test_a_lost_connection_is_retried(self):  # JavaScript's does not try again
        proxy = stack.LossyProxy(stack.GRPC_ADDRESS)
        export = self.new_export(plan_of({}), (proxy.address, stack.KEY))
        self.assertTrue(export.send()[0])
        self.assertGreaterEqual(proxy.connections, 2)
        (ids,) = export.ids
        self.assertEqual(len(stack.spans_of(ids["trace"])), 3)


class PythonGrpcGzip(PythonGrpc):
    compression = grpc.Compression.Gzip


class JavaScriptJson(OverHttp, unittest.TestCase):
    shows_partial_success = True
    options = {"exporter": "json"}

    def export(self, plan, server):
        url, key = server
        return JavaScriptExport(
            {**self.options, "url": f"{url}/v1/traces", "headers": {"Authorization": f"Bearer {key}"}}, plan)


class JavaScriptProtobufGzip(JavaScriptJson):
    options = {"exporter": "protobuf", "compression": "gzip"}


class JavaScriptGrpc(OverGrpc, unittest.TestCase):
    shows_partial_success = True
    options = {"exporter": "grpc"}

    def export(self, plan, server):
        address, key = server
        return JavaScriptExport(
            {**self.options, "url": f"http://{address}", "headers": {"Authorization": f"Bearer {key}"}}, plan)


class JavaScriptGrpcGzip(JavaScriptGrpc):
    options = {"exporter": "grpc", "compression": "gzip"}


class BadInput(unittest.TestCase):
    """What no exporter sends on purpose."""

    def post(self, body, content_type, **headers):
        return requests.post(
            f"{stack.URL}/v1/traces", data=body, headers={**stack.AUTHORIZATION, "Content-Type": content_type, **headers},
            timeout=10)

    def test_what_is_no_otlp_gets_a_status_in_its_encoding(self):
        answer = self.post(b"\x0a\xff", "application/x-protobuf")
        self.assertEqual((answer.status_code, answer.headers["Content-Type"]), (400, "application/x-protobuf"))
        self.assertEqual(Status.FromString(answer.content).code, grpc.StatusCode.INVALID_ARGUMENT.value[0])
        answer = self.post(b'{"resourceSpans": [', "application/json")
        self.assertEqual((answer.status_code, answer.headers["Content-Type"]), (400, "application/json"))
        self.assertEqual(answer.json()["code"], grpc.StatusCode.INVALID_ARGUMENT.value[0])

    def test_a_bomb_is_refused(self):
        for body in (b"\0" * (64 << 20), b"\x0a\0" * (6 << 20)):  # 64 MiB, and 6 Mi elements
            bomb = gzip.compress(body)
            self.assertLess(len(bomb), 100_000)
            answer = self.post(bomb, "application/x-protobuf", **{"Content-Encoding": "gzip"})
            self.assertEqual(answer.status_code, 413)
            self.assertTrue(Status.FromString(answer.content).message)

    def test_ids_of_the_wrong_length_cost_their_span_alone(self):
        good = {"traceId": uuid.uuid4().hex, "spanId": os.urandom(8).hex(), "name": "good",
                "startTimeUnixNano": "1780087759746000000"}
        spans = [good] + [good | bad for bad in ({"traceId": "4bf92f"}, {"spanId": "00f067aa0ba902b"},
                                                 {"spanId": "0" * 16}, {"parentSpanId": "00f0"})]
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
        answer = self.post(body, "application/json").json()["partialSuccess"]
        self.assertEqual(answer["rejectedSpans"], "4")
        for field in ("trace_id", "span_id", "parent_span_id"):
            self.assertIn(field, answer["errorMessage"])
        self.assertEqual([span["name"] for span in stack.spans_of(good["traceId"])], ["good"])


if __name__ == "__main__":
    stack.main()
