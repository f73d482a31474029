"""What the document cannot say: where tokens come from, and which values depend on each other."""

import atexit
import collections
import itertools
import json
import os
import pathlib
import re
import urllib.request

import schemathesis

# Rules of bytes, of several fields at once, and of what is stored: a request may break them and keep all schemas.
BEYOND_SCHEMAS = re.compile(
    r" bytes long; at most "
    r"| bytes as JSON; at most "
    r"| without control characters\.$"
    r"| must be a number of at most 32 characters that a double can hold\.$"
    r"| must be at most [0-9]+ bytes long with its numbers written out\.$"
    r"|^judge_id is required with "
    r"| is for scored judges only, and this one is binary\.$"
    r"| is required of a (binary|scored) judge\.$"
    r"| must lie between .*, the judge's range\.$"
    r"| is none of the judge's criteria"
    r"|^score_max must be greater than score_min"
    r"|^criteria\[[0-9]+\]\.key is that of an earlier criterion\.$"
    r"|^evaluation_type of a judge cannot be changed"
    r"|^content must have more than white space\.$"
    r"|^content_hash must be "
    r"|^tag must be 1 to 100 of a-z, 0-9 and -"
    r"|^token must be the token that the call bears"
    r"|^cursor must be next_cursor of the page before"
    r"|^cursor needs limit"
    r"|^page_token must be the next_page_token of an earlier answer\.$"
)
# Ids of which a malformed one is as good as an unknown one: nothing to delete, nothing to find.
LENIENT_IDS = {"id", "feedback_id", "judge_id"}

SHARED_TOKEN = "Bearer " + os.environ["VERDICT_FEEDBACK_TOKEN"]

counter = itertools.count()
successes = collections.Counter()  # of each operation
atexit.register(lambda: pathlib.Path(os.environ["VERDICT_SUCCESSES"]).write_text(json.dumps(successes)))


def new_token():
    request = urllib.request.Request(
        os.environ["VERDICT_URL"] + "/api/v1/feedback/token",
        data=json.dumps({"resource_type": "trace", "resource_id": f"run-{next(counter)}"}).encode(),
        headers={"Authorization": "Bearer " + os.environ["VERDICT_API_KEY"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["token"]


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw["operationId"]
    # A token can be redeemed once: so the one that all share is not.
    if operation == "RedeemToken" and case.headers.get("Authorization") == SHARED_TOKEN:
        case.headers["Authorization"] = "Bearer " + new_token()
    # The tool judges anew what a hook has changed, and takes a header that keeps the schema for one that is right.
    every_other = next(counter) % 2 == 0 and case.meta and case.meta.generation.mode.is_positive
    if operation == "VerifyToken" and every_other:
        case.query["token"] = new_token()
    if operation == "ListFeedback" and every_other:
        case.query = {}  # of random values, filters leave nothing to export
        case.headers["Accept"] = "application/x-ndjson"


@schemathesis.hook
def after_call(context, case, response):
    if 200 <= response.status_code < 300:
        successes[case.operation.definition.raw["operationId"]] += 1


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """OpenAPI 3.1 gives the schema of a line, and the tool checks what the deserializer makes: all lines."""

    def walk(node):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if key == "application/x-ndjson":
                value["schema"] = {"type": "array", "items": value["schema"]}
            if isinstance(value, (dict, list)):
                walk(value)

    walk(raw_schema)


@schemathesis.deserializer("application/x-ndjson")
def all_lines(context, response):
    return [json.loads(line) for line in response.content.splitlines()]


def negates_lenient_ids_only(case):
    data = case.meta.phase.data
    names = [mutation.parameter for mutation in data.mutations] or [data.parameter]
    location = data.parameter_location
    return location is not None and location.name in ("PATH", "QUERY") and set(names) <= LENIENT_IDS


@schemathesis.hook
def filter_failure(context, failure, case, response):
    kind = type(failure).__name__
    if kind == "RejectedPositiveData" and response.status_code == 400:
        violations = [violation["message"] for violation in response.json()["errors"]]
        return not violations or not all(BEYOND_SCHEMAS.search(violation) for violation in violations)
    if kind == "AcceptedNegativeData" and response.status_code == 200 and isinstance(case.body, list):
        # Each element of such a list is answered by itself.
        answer = response.json()
        return isinstance(answer, list) or not any("error" in result for result in answer["results"])
    if kind == "AcceptedNegativeData" and response.status_code in (200, 204):
        return not negates_lenient_ids_only(case)
    return True
