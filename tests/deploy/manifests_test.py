"""The manifests of every place render, fit Kubernetes' schemas and keep the rules; and each rule can fail."""

import copy
import re
import unittest

import kubernetes_validate

import rules
from manifests import PLACES, SOURCE, render, secret_data
from mutants import MUTANTS

class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rendered = {place.name: render(place) for place in PLACES}

    def test_the_manifests_of_every_place_keep_every_rule(self):
        for place, manifest in self.rendered.items():
            for rule in rules.RULES:
                with self.subTest(place=place, rule=rule.__name__):
                    self.assertEqual(list(rule(manifest)), [])

    def test_every_object_fits_the_schema_of_its_kind(self):
        for place, manifest in self.rendered.items():
            for o in manifest.objects:
                with self.subTest(place=place, kind=o["kind"], name=o["metadata"]["name"]):
                    kubernetes_validate.validate(o, "1.30", strict=True)

    def test_a_misspelt_field_does_not_fit_its_schema(self):
        manifest = copy.deepcopy(self.rendered["dev"])
        manifest.workload("token").container["livenessProbe"]["periodSecond"] = 10
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(manifest.workload("token").object, "1.30", strict=True)

    def test_each_rule_notices_its_mutants(self):
        for rule, change in MUTANTS:
            with self.subTest(rule=rule.__name__, mutant=change.__name__):
                manifest = copy.deepcopy(self.rendered["dev"])
                change(manifest)
                self.assertNotEqual(list(rule(manifest)), [])

    def test_no_rule_is_without_a_mutant(self):
        self.assertEqual({rule for rule, _ in MUTANTS}, set(rules.RULES))

    def test_the_version_is_the_one_that_is_built(self):
        built = re.search(r"project\(verdict VERSION ([\d.]+)", (SOURCE / "CMakeLists.txt").read_text())[1]
        for workload in self.rendered["base"].workloads():
            with self.subTest(workload=workload.name):
                self.assertEqual(workload.container["image"].rpartition(":")[2], built)
                self.assertEqual(workload.template["metadata"]["labels"]["app.kubernetes.io/version"], built)

    def test_the_base_brings_no_secret_and_no_database(self):
        self.assertEqual(self.rendered["base"].of_kind("Secret", "StatefulSet"), [])

    def test_the_secrets_that_an_operator_makes_are_described(self):
        text = (SOURCE / "docs" / "operations.md").read_text()
        for workload in self.rendered["base"].workloads():
            for _, volume in workload.secret_mounts():
                with self.subTest(secret=volume["secretName"]):
                    self.assertIn(f"`{volume['secretName']}`", text)

    def test_development_secrets_say_so(self):
        for secret in self.rendered["dev"].of_kind("Secret"):
            for name, value in secret_data(secret).items():
                if name == "keyset.json":
                    continue
                with self.subTest(secret=secret["metadata"]["name"], file=name):
                    self.assertIn(b"dev-only", value)

    def test_images_are_built_by_the_containerfile(self):
        text = (SOURCE / "deploy" / "docker" / "Containerfile").read_text()
        stages = {m[2]: (m[1], m[3]) for m in re.finditer(r"^FROM (\S+) AS (\S+)\n((?:(?!FROM ).*\n?)*)", text, re.M)}
        for workload in self.rendered["base"].workloads():
            image = workload.container["image"].split(":")[0]
            with self.subTest(image=image):
                parent, lines = stages[image.removeprefix("verdict-")]
                lines = stages.get(parent, ("", ""))[1] + lines
                self.assertIn("USER 65532:65532\n", lines)
                self.assertIn("STOPSIGNAL SIGTERM\n", lines)
                self.assertIn(f'ENTRYPOINT ["/usr/bin/{workload.program or "migrate"}"', lines)


if __name__ == "__main__":
    unittest.main()
