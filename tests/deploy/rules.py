"""What must hold for the manifests of every place. A rule yields a sentence for each thing that is wrong."""

import re

from manifests import secret_data

LABELS = ["name", "instance", "component", "part-of", "version", "managed-by"]
# The user of all our images; the one of PostgreSQL's is the image's own.
OUR_USER = 65532
# Who may hold which Secret. The keys that verify a token can also sign one.
HOLDERS = {
    "keyset": {"token", "feedback"},
    "admin-key": {"token"},
    "database-token": {"token"},
    "database-feedback": {"feedback"},
    "database-aggregator": {"aggregator"},
    "database-migrate": {"migrate"},
    "postgres-superuser": {"postgres"},
}
SPARE_SECONDS = 5  # of the grace period, when preStop and drain have taken all they may
SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN$|DSN|API_?KEY|ADMIN_KEY|CREDENTIAL", re.IGNORECASE)
SECRET_VALUE = re.compile(r"password=|://[^/ ]*:[^/ ]*@|BEGIN .*PRIVATE KEY", re.IGNORECASE)


def plain_name(name):
    """Without the hash that a generator adds."""
    return re.sub(r"-[2456789bcdfghkmt]{10}$", "", name)


def seconds(duration):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", duration).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def port_of(address):
    return int(address.rpartition(":")[2])


def namespace_is_restricted(manifest):
    namespace = manifest.find("Namespace", "verdict")
    labels = namespace["metadata"]["labels"] if namespace else {}
    for mode in ["enforce", "audit", "warn"]:
        if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
            yield f"the namespace does not {mode} Pod Security's restricted level"
        if not re.fullmatch(r"v1\.\d+", labels.get(f"pod-security.kubernetes.io/{mode}-version", "")):
            yield f"the namespace does not pin the version of {mode}"
    for o in manifest.objects:
        if o["kind"] != "Namespace" and o["metadata"].get("namespace") != "verdict":
            yield f"{o['kind']} {o['metadata']['name']} is in another namespace"


def workloads_are_labelled(manifest):
    for workload in manifest.workloads():
        for where, metadata in [("", workload.object["metadata"]), (" pods", workload.template["metadata"])]:
            for label in LABELS:
                if f"app.kubernetes.io/{label}" not in metadata.get("labels", {}):
                    yield f"{workload.name}{where} lacks the label {label}"


def pods_are_confined(manifest):
    for workload in manifest.workloads():
        pod = workload.pod
        security = pod.get("securityContext", {})
        if security.get("runAsNonRoot") is not True:
            yield f"{workload.name} may run as root"
        for setting in ["runAsUser", "runAsGroup", "fsGroup"]:
            if security.get(setting, 0) == 0 or (workload.program and security[setting] != OUR_USER):
                yield f"{workload.name} has a wrong {setting}"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{workload.name} has no seccomp profile"
        if pod.get("enableServiceLinks") is not False:
            yield f"{workload.name} gets the addresses of all Services in its environment"
        for host in ["hostNetwork", "hostPID", "hostIPC"]:
            if pod.get(host):
                yield f"{workload.name} has {host}"


def containers_are_confined(manifest):
    for workload in manifest.workloads():
        containers = workload.pod["containers"]
        if len(containers) != 1 or workload.pod.get("initContainers"):
            yield f"{workload.name} has more than one container, which the other rules do not look at"
        for container in containers:
            security = container.get("securityContext", {})
            for setting, value in [
                ("allowPrivilegeEscalation", False),
                ("privileged", False),
                ("readOnlyRootFilesystem", True),
            ]:
                if security.get(setting) is not value:
                    yield f"{workload.name} does not have {setting}: {value}"
            if security.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{workload.name} keeps capabilities"
            for setting in ["runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile"]:
                if setting in security:
                    yield f"{workload.name} overrides its pod's {setting}"
            if any("hostPort" in port for port in container.get("ports", [])):
                yield f"{workload.name} has a port of its node"


def resources_are_bounded(manifest):
    for workload in manifest.workloads():
        resources = workload.container.get("resources", {})
        for part, names in [
            ("requests", ["cpu", "memory", "ephemeral-storage"]),
            ("limits", ["memory", "ephemeral-storage"]),
        ]:
            for name in names:
                if name not in resources.get(part, {}):
                    yield f"{workload.name} has no {name} in its {part}"


def images_have_a_version(manifest):
    for workload in manifest.workloads():
        image = workload.container["image"]
        if not re.search(r"(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$", image):
            yield f"{workload.name} has the image {image}, which names no version"
        if "imagePullPolicy" not in workload.container:
            yield f"{workload.name} leaves open when its image is pulled"


def probes_tell_the_truth(manifest):
    for workload in manifest.workloads():
        if not workload.runs_forever:
            continue
        probes = {kind: workload.container.get(f"{kind}Probe") for kind in ["startup", "liveness", "readiness"]}
        for kind, probe in probes.items():
            if not probe:
                yield f"{workload.name} has no {kind} probe"
                continue
            if probe.get("timeoutSeconds", 1) < 2 or probe.get("failureThreshold", 0) < 3:
                yield f"{workload.name}'s {kind} probe loses patience too soon"
            if "grpc" in probe and probe["grpc"]["port"] != workload.ports().get("grpc"):
                yield f"{workload.name}'s {kind} probe asks a port that does not serve gRPC"
            if "httpGet" in probe:
                port = probe["httpGet"]["port"]
                if workload.ports().get(port, port) != workload.ports().get("admin"):
                    yield f"{workload.name}'s {kind} probe asks a port that is not the admin port"
                if "host" in probe["httpGet"]:
                    yield f"{workload.name}'s {kind} probe names a host"
        if not all(probes.values()):
            continue
        if probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] < 60:
            yield f"{workload.name} has less than a minute to start"
        if workload.program:
            asked = {kind: probe.get("grpc", {}).get("service") or probe.get("httpGet", {}).get("path")
                     for kind, probe in probes.items()}
            alive, ready = ("liveness", "readiness") if "grpc" in probes["liveness"] else ("/healthz", "/readyz")
            if asked != {"startup": alive, "liveness": alive, "readiness": ready}:
                yield f"{workload.name}'s probes ask {asked}"


def selectors_select(manifest):
    selectors = []
    for workload in manifest.workloads():
        if not workload.runs_forever:
            continue
        selector = workload.spec["selector"]["matchLabels"]
        if not selector.items() <= workload.template["metadata"]["labels"].items():
            yield f"{workload.name} does not select its own pods"
        if selector in selectors:
            yield f"{workload.name} selects another workload's pods"
        if "app.kubernetes.io/version" in selector:
            yield f"{workload.name} selects by its version, which a selector cannot follow"
        selectors.append(selector)


def services_reach_pods(manifest):
    for service in manifest.of_kind("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        targets = [w for w in manifest.workloads()
                   if spec["selector"].items() <= w.template["metadata"]["labels"].items()]
        if len(targets) != 1:
            yield f"Service {name} selects {len(targets)} workloads"
            continue
        for port in spec["ports"]:
            target = targets[0].ports().get(port["targetPort"])
            if target is None:
                yield f"Service {name} leads to a port that {targets[0].name} does not have"
            elif spec.get("clusterIP") == "None" and target != port["port"]:
                yield f"Service {name} is headless, but its port is not the pod's"


def only_the_gateway_is_a_door(manifest):
    for service in manifest.of_kind("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        if spec.get("type", "ClusterIP") != "ClusterIP":
            yield f"Service {name} is open to the outside"
        if name != "gateway" and spec.get("clusterIP") != "None":
            yield f"Service {name} has a virtual address, which ties a connection to one pod"
        if any(port["targetPort"] == "admin" for port in spec["ports"]) != name.endswith("-admin"):
            yield f"Service {name} mixes the admin port with others"


def processes_listen_where_they_are_called(manifest):
    for workload in manifest.workloads():
        if not workload.program:
            continue
        settings, ports = workload.settings(), workload.ports()
        for setting, port in [("listen", "http" if workload.name == "gateway" else "grpc"), ("admin-listen", "admin")]:
            address = settings.get(setting, "")
            if not address.startswith("0.0.0.0:") or port_of(address) != ports.get(port):
                yield f"{workload.name} has {setting}={address}, and the container port {port} {ports.get(port)}"


def peers_exist(manifest):
    for workload in manifest.workloads():
        for setting, value in workload.settings().items():
            if not setting.endswith("-address"):
                continue
            match = re.fullmatch(r"dns:///([a-z-]+):(\d+)", value)
            service = match and manifest.find("Service", match[1])
            if not service or service["spec"].get("clusterIP") != "None":
                yield f"{workload.name} has {setting}={value}, which is no headless Service"
            elif int(match[2]) not in [port["port"] for port in service["spec"]["ports"]]:
                yield f"{workload.name} has {setting}={value}, a port that the Service does not have"
            if setting != f"{match[1] if match else None}-address":
                yield f"{workload.name} has {setting}={value}, another service"


def grace_covers_the_drain(manifest):
    for workload in manifest.workloads():
        if not workload.program:
            continue
        pause = workload.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = seconds(workload.settings().get("drain-timeout", "0s"))
        grace = workload.pod.get("terminationGracePeriodSeconds", 30)
        if pause < 5:
            yield f"{workload.name} ends before the others know"
        if drain <= 0:
            yield f"{workload.name} has no drain timeout"
        if grace < pause + drain + SPARE_SECONDS:
            yield f"{workload.name} is killed after {grace} s, and may take {pause} s + {drain} s"


def rollouts_keep_serving(manifest):
    for workload in manifest.workloads():
        if workload.kind != "Deployment":
            continue
        if workload.spec.get("strategy", {}).get("rollingUpdate") != {"maxUnavailable": 0, "maxSurge": 1}:
            yield f"{workload.name} takes pods away before their successors serve"
        if workload.spec.get("minReadySeconds", 0) < 5 or "progressDeadlineSeconds" not in workload.spec:
            yield f"{workload.name}'s roll-out does not notice a pod that fails"


def secrets_are_files(manifest):
    for workload in manifest.workloads():
        for entry in workload.container.get("env", []):
            if "secretKeyRef" in entry.get("valueFrom", {}):
                yield f"{workload.name} has the secret {entry['name']} in its environment"
        if any("secretRef" in source for source in workload.container.get("envFrom", [])):
            yield f"{workload.name} has a Secret in its environment"
        for name, value in workload.environment().items():
            if (SECRET_NAME.search(name) and not name.endswith(("_FILE", "_DIR"))) or SECRET_VALUE.search(value):
                yield f"{workload.name} has {name} in its environment, which looks like a secret"
        for argument in workload.container.get("args", []) + workload.container.get("command", []):
            if SECRET_VALUE.search(argument):
                yield f"{workload.name} has an argument that looks like a secret"


def secret_files_are_there(manifest):
    known = manifest.of_kind("Secret")  # none where they come from elsewhere
    for workload in manifest.workloads():
        files = {}
        for mount, volume in workload.secret_mounts():
            secret = manifest.find("Secret", volume["secretName"])
            if known and not secret:
                yield f"{workload.name} mounts the Secret {volume['secretName']}, which does not exist"
            if mount.get("readOnly") is not True or "subPath" in mount:
                yield f"{workload.name} mounts {mount['name']} writable, or in a way that is never refreshed"
            if volume.get("defaultMode", 0o644) & 0o007:
                yield f"{workload.name} lets everybody read {mount['name']}"
            files[mount["mountPath"]] = secret_data(secret) if secret else None
        for setting, path in workload.settings().items():
            if setting.endswith("-dir"):
                folder, name = path, None
            elif setting.endswith("-file"):
                folder, _, name = path.rpartition("/")
            else:
                continue
            if folder not in files:
                yield f"{workload.name} has {setting}={path}, where nothing is mounted"
            elif name and files[folder] is not None and name not in files[folder]:
                yield f"{workload.name} has {setting}={path}, a file that the Secret does not have"


def secrets_stay_with_their_holders(manifest):
    for workload in manifest.workloads():
        for _, volume in workload.secret_mounts():
            secret = plain_name(volume["secretName"])
            if re.sub(r"-[\d-]+$", "", workload.name) not in HOLDERS.get(secret, set()):
                yield f"{workload.name} holds {secret}"
    for secret in manifest.of_kind("Secret"):
        if plain_name(secret["metadata"]["name"]) not in HOLDERS:
            yield f"nobody is named who may hold {secret['metadata']['name']}"


def settings_exist(manifest):
    for workload in manifest.workloads():
        for source in workload.container.get("envFrom", []):
            name = source.get("configMapRef", {}).get("name")
            if name and not manifest.find("ConfigMap", name):
                yield f"{workload.name} takes settings from {name}, which does not exist"


def only_scratch_space_is_writable(manifest):
    for workload in manifest.workloads():
        for mount, volume in workload.mounts():
            if not volume:
                yield f"{workload.name} mounts {mount['name']}, which does not exist"
            elif "emptyDir" in volume:
                if volume["emptyDir"].get("medium") != "Memory" or "sizeLimit" not in volume["emptyDir"]:
                    yield f"{workload.name}'s {mount['name']} has no bound, or is not in memory"
            elif "claim" in volume:
                if workload.program:
                    yield f"{workload.name} keeps state"
            elif "secret" not in volume:
                yield f"{workload.name} mounts {mount['name']}, neither a Secret nor scratch space"


def accounts_have_no_rights(manifest):
    accounts = [w.pod.get("serviceAccountName") for w in manifest.workloads()]
    for workload in manifest.workloads():
        account = workload.pod.get("serviceAccountName")
        described = manifest.find("ServiceAccount", account)
        if not described or accounts.count(account) != 1:
            yield f"{workload.name} has no ServiceAccount of its own"
        for o in filter(None, [described, workload.pod]):
            if o.get("automountServiceAccountToken") is not False:
                yield f"{workload.name} can talk to Kubernetes"
    for o in manifest.of_kind("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        yield f"{o['kind']} {o['metadata']['name']} gives rights"


def the_migration_is_bounded(manifest):
    jobs = [w for w in manifest.workloads() if w.kind == "Job"]
    if len(jobs) != 1:
        yield f"there are {len(jobs)} Jobs"
    for job in jobs:
        version = job.container["image"].rpartition(":")[2]
        if job.name != f"migrate-{version.replace('.', '-')}":
            yield f"{job.name} runs the migrations of {version}: a Job cannot be changed, so its name must be new"
        if job.pod.get("restartPolicy") != "Never":
            yield f"{job.name} restarts in place, and leaves no log of what failed"
        for setting in ["backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"]:
            if setting not in job.spec:
                yield f"{job.name} has no {setting}"


RULES = [
    namespace_is_restricted,
    workloads_are_labelled,
    pods_are_confined,
    containers_are_confined,
    resources_are_bounded,
    images_have_a_version,
    probes_tell_the_truth,
    selectors_select,
    services_reach_pods,
    only_the_gateway_is_a_door,
    processes_listen_where_they_are_called,
    peers_exist,
    grace_covers_the_drain,
    rollouts_keep_serving,
    secrets_are_files,
    secret_files_are_there,
    secrets_stay_with_their_holders,
    settings_exist,
    only_scratch_space_is_writable,
    accounts_have_no_rights,
    the_migration_is_bounded,
]
