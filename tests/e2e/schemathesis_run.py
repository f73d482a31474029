#!/usr/bin/env python3
"""Drives a running stack by nothing but its OpenAPI document: thousands of requests that keep the document and
that break it, and checks that every answer is one that the document promises, and that every operation succeeds.

Run by with_stack. The seed is 1, or VERDICT_SEED; VERDICT_SOAK_SECONDS makes runs, with one seed after the other,
until so much time is over and enough cases were run. Before all that the document itself is checked, and that a
document which lies is found out. The last line is `soak: N cases, M findings`.
"""

import collections
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator

HERE = pathlib.Path(__file__).parent
URL = os.environ["VERDICT_URL"]
PROJECT = os.environ["VERDICT_PROJECT_ID"]
SOAK_SECONDS = float(os.environ.get("VERDICT_SOAK_SECONDS") or 0)

# What runs have at least: fewer would mean that the document lost its routes, or the tool its phases.
CASES_MIN = 20_000 if SOAK_SECONDS >= 600 else 1_000
EXAMPLES_OF_A_SHORT_RUN = 8  # fuzzed cases of an operation, each way
EXAMPLES_OF_A_LONG_RUN = 300

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
]


def ctl(*arguments):
    """What verdictctl makes, as JSON."""
    command = [os.environ["VERDICT_BIN"] + "/verdictctl", *arguments, "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def key_of_all_scopes():
    organization = os.environ["VERDICT_ORG_ID"]
    user = ctl("user", "create", "--org", organization, "--email", "tool@example.com", "--name", "Tool")
    scopes = "token,write,read,erase"
    return ctl("key", "create", "--project", PROJECT, "--user", user["id"], "--scopes", scopes)["key"]


def send(method, path, body=None):
    """The JSON that the stack answers; a status of 400 or more raises."""
    request = urllib.request.Request(
        URL + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + os.environ["VERDICT_API_KEY"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def prepare():
    """Makes what requests can name, and returns by kind what exists."""
    judges = f"/signals/projects/{PROJECT}/automations"
    scored = send(
        "POST", judges, {"name": "Scored", "evaluation_type": "scored", "criteria": [{"key": "clarity"}]}
    )
    binary = send("POST", judges, {"name": "Binary"})
    # Takes every score.
    wide = {"name": "Wide", "evaluation_type": "scored", "score_min": -1.7e308, "score_max": 1.7e308}
    wide = send("POST", judges, wide)
    token = {"resource_type": "trace", "resource_id": "run-42", "expires_in_seconds": 86_400}
    os.environ["VERDICT_FEEDBACK_TOKEN"] = send("POST", "/api/v1/feedback/token", token)["token"]
    span = "550e8400-e29b-41d4-a716-446655440000"
    completions = "/v1/prompts/support-bot/completions"
    send("POST", f"{completions}/an-earlier-one/feedback", {"thumbs_up": False})
    feedback = send("POST", f"{completions}/{span}/feedback", {"thumbs_up": True})
    evaluation = send(
        "POST", f"/projects/{PROJECT}/judges/{scored['id']}/evaluations", {"span_id": span, "score": 8}
    )
    for slug in ("support-bot", scored["prompt_slug"]):
        content = {"content": "Answer {{name}}.", "model_id": "gpt-4o-mini"}
        version = send("POST", f"/v1/tasks/{slug}/prompt/versions/ensure", content)
        send("POST", f"/projects/{PROJECT}/prompts/{slug}/tags/production:pin", {"version": 1})
    return {
        "projects": [PROJECT],
        "judges": [scored["id"], binary["id"], wide["id"]],
        "prompts": [feedback["prompt_id"]],
        "slugs": ["support-bot", scored["prompt_slug"]],
        "versions": [version["version_id"]],
        "hashes": [version["content_hash"]],
        "spans": [span],
        "records": [feedback["id"], evaluation["id"]],
    }


# Which parameter takes which of what exists, and how often.
PARAMETERS = {
    "path.project_id": ("projects", 0.9),
    "path.judge_id": ("judges", 0.8),
    "path.automation_id": ("judges", 0.8),
    "path.prompt_id": ("prompts", 0.8),
    "path.prompt_slug": ("slugs", 0.8),
    "path.slug": ("slugs", 0.8),
    "path.version_id": ("versions", 0.8),
    "path.content_hash": ("hashes", 0.8),
    "path.completion_id": ("spans", 0.5),
    "path.span_id": ("spans", 0.5),
    "path.entity_id": ("spans", 0.5),
    "path.feedback_id": ("records", 0.5),
    "query.judge_id": ("judges", 0.5),
    "body.judge_id": ("judges", 0.7),
    "body.span_id": ("spans", 0.5),
}


def check_document(document):
    """The document is OpenAPI 3.1, and each of its examples is one. Returns how many examples that are."""
    OpenAPIV31SpecValidator(document).validate()
    examples = 0

    def check(schema, example):
        nonlocal examples
        examples += 1
        resolvable = {**schema, "components": document["components"]}
        jsonschema.Draft202012Validator(
            resolvable, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        ).validate(example)

    def walk(node):
        if isinstance(node, list):
            for element in node:
                walk(element)
        if not isinstance(node, dict):
            return
        if "schema" in node:  # of a parameter, a header, a body or an answer
            assert "example" in node or "examples" in node or "required" in node, node
            for example in node.get("examples", {}).values():
                if "$ref" in example:
                    example = document["components"]["examples"][example["$ref"].rsplit("/", 1)[1]]
                check(node["schema"], example["value"])
            if "example" in node:
                check(node["schema"], node["example"])
        if isinstance(node.get("examples"), list):  # of a schema
            for example in node["examples"]:
                check(node, example)
        for key, value in node.items():
            if key not in ("example", "examples", "default"):
                walk(value)

    walk(document)
    return examples


def configuration(known):
    key = os.environ["VERDICT_API_KEY"]
    lines = ["[generation]", "allow-x00 = false", 'database = "none"', "no-shrink = true"]
    lines += ["[checks]", "enabled = false"]
    lines += [f"{name}.enabled = true" for name in CHECKS]
    accepted = ["2xx", "304", "403", "404", "409", "422"]
    lines += ["positive_data_acceptance.expected-statuses = " + json.dumps(accepted)]
    # What makes a request wrong may also make it large.
    lines += [
        'negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "414", "415",'
        ' "422", "431"]'
    ]
    lines += ["[auth.openapi]"]
    lines += [f'feedback_token = {{ bearer = "{os.environ["VERDICT_FEEDBACK_TOKEN"]}" }}']
    lines += [f'api_key = {{ bearer = "{key}" }}', f'x_api_key = {{ api_key = "{key}" }}']
    for name, values in known.items():
        lines += [f"[dictionaries.{name}]", "values = " + json.dumps(values)]
    lines += ["[parameters]"]
    for name, (dictionary, probability) in PARAMETERS.items():
        lines += [f'"{name}" = {{ dictionary = "{dictionary}", probability = {probability} }}']
    # No schema says which tokens exist, and one that does may be used or revoked.
    lines += ["[[operations]]", 'include-operation-id = ["RedeemToken", "PeekToken", "VerifyToken"]']
    lines += ["checks.positive_data_acceptance.expected-statuses = " + json.dumps([*accepted, "401", "410"])]
    return "\n".join(lines) + "\n"


def drive(folder, document, seed, examples, *arguments):
    """One run of schemathesis. Returns its report, what it printed, and how often each operation succeeded."""
    location = folder / "openapi.json"
    location.write_text(json.dumps(document))
    report = folder / "report.json"
    successes = folder / "successes.json"
    for old in (report, successes):
        old.unlink(missing_ok=True)
    command = [
        str(pathlib.Path(sys.executable).with_name("schemathesis")),
        f"--config-file={folder / 'schemathesis.toml'}",
        "run",
        str(location),
        f"--url={URL}",
        f"--seed={seed}",
        f"--max-examples={examples}",
        "--continue-on-failure",
        "--no-color",
        "--report=json",
        f"--report-json-path={report}",
        *arguments,
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(HERE),
        "VERDICT_SUCCESSES": str(successes),
    }
    # The tool warns of what it cannot check, such as routes that answer 404 too often; only checks decide.
    finished = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if not report.exists() or not successes.exists():
        raise RuntimeError(finished.stdout + finished.stderr)
    return json.loads(report.read_text()), finished.stdout, json.loads(successes.read_text())


def findings(report):
    errors = sum(error["count"] for error in report["errors"])
    return report["test_cases"]["unique_failures"] + errors + (0 if report["complete"] else 1)


def operations(document):
    return {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "operationId" in operation
    }


def lies(document):
    """Documents that are not true of the stack, each in one way, and an operation that shows it."""

    def changed(change):
        lying = copy.deepcopy(document)
        change(lying)
        return lying

    def of_prompt(lying):
        return lying["paths"]["/v1/prompts/{slug}"]["get"]["responses"]

    def wrong_type(lying):
        lying["components"]["schemas"]["PromptVersion"]["properties"]["prompt"] = {"type": "integer"}

    def missing_status(lying):
        del of_prompt(lying)["404"]

    def missing_reason(lying):
        narrowed = of_prompt(lying)["404"]["content"]["application/problem+json"]["schema"]["allOf"][1]
        narrowed["properties"]["code"]["enum"].remove("PROMPT_NOT_FOUND")

    def missing_header(lying):
        of_prompt(lying)["200"]["headers"]["ETag"] = {"required": True, "schema": {"type": "string"}}

    def narrow_limit(lying):
        mint = lying["paths"]["/api/v1/feedback/token"]["post"]["requestBody"]["content"]["application/json"]
        mint["schema"]["properties"]["expires_in_seconds"]["maximum"] = 60

    def wide_limit(lying):
        mint = lying["paths"]["/api/v1/feedback/token"]["post"]["requestBody"]["content"]["application/json"]
        mint["schema"]["properties"]["expires_in_seconds"]["maximum"] = 100_000

    def second_line(lying):
        lines = lying["paths"]["/projects/{project_id}/feedback"]["get"]["responses"]["200"]["content"]
        lines["application/x-ndjson"]["schema"] = {"properties": {"thumbs_up": {"const": True}}}

    return {
        "a field of another type": (changed(wrong_type), "GetPrompt"),
        "a status that is missing": (changed(missing_status), "GetPrompt"),
        "a reason that is missing": (changed(missing_reason), "GetPrompt"),
        "a header that never comes": (changed(missing_header), "GetPrompt"),
        "a limit below the real one": (changed(narrow_limit), "MintToken"),
        "a limit above the real one": (changed(wide_limit), "MintToken"),
        "a line of an export, not the first": (changed(second_line), "ListFeedback"),
    }


def main():
    seed = int(os.environ.get("VERDICT_SEED") or 1)
    print(f"seed {seed} (VERDICT_SEED)", flush=True)
    with urllib.request.urlopen(URL + "/openapi.json") as response:
        document = json.load(response)
    print(f"the document is valid, with {check_document(document)} examples that are", flush=True)
    cases = found = 0
    succeeded = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.environ["VERDICT_API_KEY"] = key_of_all_scopes()
        (folder / "schemathesis.toml").write_text(configuration(prepare()))
        for lie, (lying, operation) in lies(document).items():
            report, output, _ = drive(folder, lying, seed, 20, f"--include-operation-id={operation}")
            if findings(report) == 0:
                print(f"{output}\nno check has noticed: {lie}")
                found += 1
        begin = time.monotonic()
        # Where twice the time is not enough for the cases, more of it would not be either.
        while cases == 0 or time.monotonic() - begin < SOAK_SECONDS * (1 if cases >= CASES_MIN else 2):
            start = time.monotonic()
            examples = EXAMPLES_OF_A_LONG_RUN if SOAK_SECONDS else EXAMPLES_OF_A_SHORT_RUN
            report, output, successes = drive(folder, document, seed, examples)
            cases += report["test_cases"]["generated"]
            succeeded.update(successes)
            if findings(report) > 0:
                print(output)
            found += findings(report)
            print(
                f"seed {seed}: {report['test_cases']['generated']} cases, {findings(report)} findings,"
                f" {time.monotonic() - start:.0f} s",
                flush=True,
            )
            seed += 1
    print("answers of 2xx: " + ", ".join(f"{name} {count}" for name, count in sorted(succeeded.items())))
    for operation in sorted(operations(document) - succeeded.keys()):
        print(f"{operation} has never succeeded")
        found += 1
    if cases < CASES_MIN:
        print(f"these are too few cases; at least {CASES_MIN} were expected")
        found += 1
    print(f"soak: {cases} cases, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
