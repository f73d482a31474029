// Exports traces with one of OpenTelemetry's exporters for JavaScript, as otel_test.py asks. Reads lines of JSON: first
// what to make, which is answered with the ids of what was made; then each line is an export of all of it, which is
// answered with the exporter's result and what it had to say.
import { createRequire } from 'node:module';
import readline from 'node:readline';

const require = createRequire(`${process.env.VERDICT_CLIENTS}/`);
const { context, diag, DiagLogLevel, trace } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { TracerProvider } = require('@opentelemetry/sdk-trace');

const exporters = {
  json: '@opentelemetry/exporter-trace-otlp-http',
  protobuf: '@opentelemetry/exporter-trace-otlp-proto',
  grpc: '@opentelemetry/exporter-trace-otlp-grpc',
};

let said = [];
const say = (...words) => said.push(words.map(String).join(' '));
diag.setLogger({ error: say, warn: say, info: say, debug: say, verbose: say }, DiagLogLevel.WARN);

function makeExporter({ exporter, url, headers, compression }) {
  const { OTLPTraceExporter } = require(exporters[exporter]);
  if (exporter !== 'grpc') return new OTLPTraceExporter({ url, headers, compression });
  const { Metadata } = require('@grpc/grpc-js');
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new OTLPTraceExporter({ url, metadata, compression });
}

function makeSpans({ resource, traces }) {
  const ended = [];
  const collector = {
    onStart() {}, onEnd: (span) => ended.push(span), forceFlush: async () => {}, shutdown: async () => {},
  };
  const provider = new TracerProvider({ resource: resourceFromAttributes(resource), spanProcessors: [collector] });
  const tracer = provider.getTracer('otel_exporter');
  const inside = (span) => trace.setSpan(context.active(), span);
  const ids = traces.map(({ root: rootAttributes, leaf_name: leafName, event }) => {
    const root = tracer.startSpan('root', { attributes: rootAttributes });
    const step = tracer.startSpan('step', {}, inside(root));
    const leaf = tracer.startSpan(leafName, {}, inside(step));
    if (event) leaf.addEvent(event.name, event.attributes);
    for (const span of [leaf, step, root]) span.end();
    return {
      trace: root.spanContext().traceId, root: root.spanContext().spanId,
      step: step.spanContext().spanId, leaf: leaf.spanContext().spanId,
    };
  });
  return { ids, ended };
}

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const plan = JSON.parse((await lines.next()).value);
const exporter = makeExporter(plan);
const { ids, ended } = makeSpans(plan);
answer(ids);
while (!(await lines.next()).done) {
  said = [];
  const result = await new Promise((resolve) => { exporter.export(ended, resolve); });
  answer({ ok: result.code === 0, said: [...said, result.error && String(result.error)].filter(Boolean).join('\n') });
}
await exporter.shutdown();
