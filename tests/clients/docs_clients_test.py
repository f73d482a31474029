"""The lines that docs/clients.md shows work when pasted: each block below <!-- run --> is run, in their order, and what
one exports is there for those that follow."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import stack

SOURCE = pathlib.Path(os.environ["VERDICT_SOURCE"])
CLIENTS = pathlib.Path(os.environ["VERDICT_CLIENTS"])
COMMANDS = {"sh": ["bash", "-euo", "pipefail", "-c"],
            "python": [CLIENTS / "venv/bin/python", "-c"],
            "js": [CLIENTS / "venv/bin/node", "--input-type=module", "--eval"]}


class Page(unittest.TestCase):
    def test_every_block_runs(self):
        blocks = re.findall(r"<!-- run -->\n```(\w+)\n(.*?)```", (SOURCE / "docs/clients.md").read_text(), re.DOTALL)
        self.assertGreater(len(blocks), 5)
        environment = os.environ | {"PATH": f"{CLIENTS / 'venv/bin'}:{os.environ['PATH']}"}
        judge = stack.new_judge(name="Tone")
        with tempfile.NamedTemporaryFile() as exported:
            for language, block in blocks:
                script = f"{block}\nenv -0 >{exported.name}" if language == "sh" else block
                with self.subTest(block):
                    finished = subprocess.run(  # Node.js finds packages from where it runs
                        [*COMMANDS[language], script], cwd=CLIENTS, env=environment, capture_output=True, text=True,
                        timeout=60, check=False)
                    self.assertEqual(finished.returncode, 0, finished.stdout + finished.stderr)
                if language == "sh":
                    variables = pathlib.Path(exported.name).read_text().split("\0")
                    environment = dict(variable.split("=", 1) for variable in variables if variable)

        # An exporter that was refused says nothing, and its block goes on.
        for session in ("chat-42", "chat-43", "chat-44"):
            self.assertEqual(len(stack.call("GET", "/traces", params={"session_id": session})), 1, session)
        spans = [span for span in stack.call("GET", "/spans") if span["name"] == "chat" and "session_id" not in span]
        self.assertEqual(len(spans), 2, "over gRPC")
        (evaluation,) = stack.feedback_on("session", "chat-43")["items"]
        self.assertEqual(evaluation["automation_id"], judge["id"])


if __name__ == "__main__":
    stack.main()
