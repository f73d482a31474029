"""The programs know every setting that the manifests give them, and accept the values."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from manifests import KUBERNETES, render, secret_data


def run(workload, *arguments, environment):
    program = pathlib.Path(os.environ["VERDICT_BIN"]) / workload.program
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=30,
                          check=False)


def check_config(workload, **changes):
    """The program's verdict on its settings in the container, some of them changed."""
    with tempfile.TemporaryDirectory() as root:
        for mount, volume in workload.secret_mounts():
            folder = pathlib.Path(root + mount["mountPath"])
            folder.mkdir(parents=True)
            for name, content in secret_data(workload.manifest.find("Secret", volume["secretName"])).items():
                (folder / name).write_bytes(content)
                (folder / name).chmod(volume["defaultMode"])
        arguments = [a.replace("=/secrets/", f"={root}/secrets/") for a in workload.container.get("args", [])]
        return run(workload, *arguments, "--check-config", environment=workload.environment() | changes)


class Settings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workloads = [w for w in render(KUBERNETES / "overlays" / "dev").workloads() if w.program]

    def test_the_programs_know_every_setting(self):
        for workload in self.workloads:
            with self.subTest(workload=workload.name):
                known = re.findall(r"^  --(\S+)", run(workload, "--help", environment={}).stdout, re.MULTILINE)
                self.assertEqual(set(workload.settings()) - set(known), set())

    def test_the_programs_accept_the_values(self):
        for workload in self.workloads:
            with self.subTest(workload=workload.name):
                done = check_config(workload)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_wrong_value_is_refused(self):
        for workload in self.workloads:
            with self.subTest(workload=workload.name):
                done = check_config(workload, VERDICT_DRAIN_TIMEOUT="soon")
                self.assertEqual(done.returncode, 2)
                self.assertIn("drain-timeout", done.stderr.lower().replace("_", "-"))


if __name__ == "__main__":
    unittest.main()
