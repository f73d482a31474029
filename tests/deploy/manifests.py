"""The Kubernetes manifests as kustomize renders them, in the terms that the rules speak of."""

import base64
import os
import pathlib
import subprocess

import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = SOURCE / "deploy" / "k8s"
PLACES = [KUBERNETES / "base", *sorted((KUBERNETES / "overlays").iterdir())]


def render(place):
    """All objects of a kustomization."""
    kubectl = os.environ.get("VERDICT_KUBECTL", "kubectl")
    output = subprocess.run([kubectl, "kustomize", place], check=True, capture_output=True, text=True).stdout
    return Manifest(yaml.safe_load_all(output))


class Manifest:
    def __init__(self, objects):
        self.objects = list(objects)

    def of_kind(self, *kinds):
        return [o for o in self.objects if o["kind"] in kinds]

    def find(self, kind, name):
        """The object; None when there is none."""
        return next((o for o in self.of_kind(kind) if o["metadata"]["name"] == name), None)

    def workloads(self):
        return [Workload(o, self) for o in self.of_kind("Deployment", "StatefulSet", "Job")]

    def workload(self, name):
        return next(w for w in self.workloads() if w.name == name)


class Workload:
    """Something that makes pods; each of ours has one container."""

    def __init__(self, described, manifest):
        self.object = described
        self.manifest = manifest
        self.kind = described["kind"]
        self.name = described["metadata"]["name"]
        self.spec = described["spec"]
        self.template = described["spec"]["template"]
        self.pod = self.template["spec"]
        self.container = self.pod["containers"][0]

    @property
    def runs_forever(self):
        return self.kind != "Job"

    @property
    def program(self):
        """The name of our program in it; None for somebody else's image and for the migration."""
        image = self.container["image"].split("/")[-1].split(":")[0]
        return image if image.startswith("verdict-") and image != "verdict-migrate" else None

    def ports(self):
        return {p["name"]: p["containerPort"] for p in self.container.get("ports", [])}

    def environment(self):
        """Names and values, those of ConfigMaps included."""
        values = {}
        for source in self.container.get("envFrom", []):
            settings = self.manifest.find("ConfigMap", source.get("configMapRef", {}).get("name"))
            values |= settings["data"] if settings else {}
        return values | {e["name"]: e["value"] for e in self.container.get("env", []) if "value" in e}

    def settings(self):
        """Our settings by the names of their flags, from the environment and the arguments."""
        values = {
            name.removeprefix("VERDICT_").replace("_", "-").lower(): value
            for name, value in self.environment().items()
            if name.startswith("VERDICT_")
        }
        for argument in self.container.get("args", []):
            if argument.startswith("--"):
                name, _, value = argument[2:].partition("=")
                values[name] = value
        return values

    def mounts(self):
        """Pairs of a mount and its volume; the volume is None when there is none of that name, and a claim for
        those that a StatefulSet makes."""
        volumes = {v["name"]: v for v in self.pod.get("volumes", [])}
        volumes |= {c["metadata"]["name"]: {"claim": c} for c in self.spec.get("volumeClaimTemplates", [])}
        return [(m, volumes.get(m["name"])) for m in self.container.get("volumeMounts", [])]

    def secret_mounts(self):
        """Pairs of a mount and the secret volume in it."""
        return [(m, v["secret"]) for m, v in self.mounts() if v and "secret" in v]


def secret_data(secret):
    """File names and contents of a Secret."""
    data = {name: base64.b64decode(value) for name, value in secret.get("data", {}).items()}
    return data | {name: value.encode() for name, value in secret.get("stringData", {}).items()}
