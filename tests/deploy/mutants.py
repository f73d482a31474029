"""What can go wrong in the dev overlay, each with the rule that must notice."""

import rules

MUTANTS = []


def mutant(rule):
    def add(change):
        MUTANTS.append((rule, change))
        return change

    return add


def container(manifest, name):
    return manifest.workload(name).container


@mutant(rules.namespace_is_restricted)
def namespace_is_privileged(m):
    m.find("Namespace", "verdict")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"


@mutant(rules.namespace_is_restricted)
def service_in_default_namespace(m):
    m.find("Service", "token")["metadata"]["namespace"] = "default"


@mutant(rules.workloads_are_labelled)
def pods_without_version(m):
    del m.workload("gateway").template["metadata"]["labels"]["app.kubernetes.io/version"]


@mutant(rules.pods_are_confined)
def run_as_root(m):
    m.workload("gateway").pod["securityContext"]["runAsUser"] = 0


@mutant(rules.pods_are_confined)
def may_run_as_root(m):
    del m.workload("postgres").pod["securityContext"]["runAsNonRoot"]


@mutant(rules.pods_are_confined)
def no_seccomp(m):
    del m.workload("feedback").pod["securityContext"]["seccompProfile"]


@mutant(rules.pods_are_confined)
def node_network(m):
    m.workload("token").pod["hostNetwork"] = True


@mutant(rules.containers_are_confined)
def privileged(m):
    container(m, "token")["securityContext"]["privileged"] = True


@mutant(rules.containers_are_confined)
def writable_root(m):
    container(m, "feedback")["securityContext"]["readOnlyRootFilesystem"] = False


@mutant(rules.containers_are_confined)
def may_escalate(m):
    del container(m, "migrate-0-1-0")["securityContext"]["allowPrivilegeEscalation"]


@mutant(rules.containers_are_confined)
def keeps_capabilities(m):
    container(m, "aggregator")["securityContext"]["capabilities"] = {"drop": ["ALL"], "add": ["NET_ADMIN"]}


@mutant(rules.containers_are_confined)
def root_in_container(m):
    container(m, "gateway")["securityContext"]["runAsUser"] = 0


@mutant(rules.containers_are_confined)
def second_container(m):
    m.workload("token").pod["containers"].append({"name": "sidecar", "image": "sidecar:1"})


@mutant(rules.resources_are_bounded)
def no_limits(m):
    del container(m, "gateway")["resources"]["limits"]


@mutant(rules.resources_are_bounded)
def no_memory_request(m):
    del container(m, "migrate-0-1-0")["resources"]["requests"]["memory"]


@mutant(rules.images_have_a_version)
def latest_image(m):
    container(m, "token")["image"] = "verdict-token:latest"


@mutant(rules.images_have_a_version)
def image_without_tag(m):
    container(m, "token")["image"] = "registry.example:5000/verdict-token"


@mutant(rules.probes_tell_the_truth)
def no_readiness(m):
    del container(m, "feedback")["readinessProbe"]


@mutant(rules.probes_tell_the_truth)
def liveness_is_readiness(m):
    container(m, "token")["livenessProbe"]["grpc"]["service"] = "readiness"


@mutant(rules.probes_tell_the_truth)
def probe_on_wrong_port(m):
    container(m, "token")["readinessProbe"]["grpc"]["port"] = 50052


@mutant(rules.probes_tell_the_truth)
def probe_on_public_port(m):
    container(m, "gateway")["livenessProbe"]["httpGet"]["port"] = "http"


@mutant(rules.probes_tell_the_truth)
def short_start(m):
    container(m, "gateway")["startupProbe"]["failureThreshold"] = 5


@mutant(rules.selectors_select)
def selects_nothing(m):
    m.workload("token").spec["selector"]["matchLabels"]["app.kubernetes.io/name"] = "tokens"


@mutant(rules.selectors_select)
def selects_by_version(m):
    m.workload("token").spec["selector"]["matchLabels"]["app.kubernetes.io/version"] = "0.1.0"


@mutant(rules.services_reach_pods)
def service_without_pods(m):
    m.find("Service", "feedback")["spec"]["selector"]["app.kubernetes.io/name"] = "feedbak"


@mutant(rules.services_reach_pods)
def service_of_all_pods(m):
    m.find("Service", "feedback")["spec"]["selector"] = {"app.kubernetes.io/component": "service"}


@mutant(rules.services_reach_pods)
def service_to_no_port(m):
    m.find("Service", "gateway")["spec"]["ports"][0]["targetPort"] = "https"


@mutant(rules.services_reach_pods)
def headless_with_another_port(m):
    m.find("Service", "aggregator")["spec"]["ports"][0]["port"] = 80


@mutant(rules.only_the_gateway_is_a_door)
def load_balancer(m):
    m.find("Service", "gateway")["spec"]["type"] = "LoadBalancer"


@mutant(rules.only_the_gateway_is_a_door)
def virtual_address(m):
    del m.find("Service", "token")["spec"]["clusterIP"]


@mutant(rules.only_the_gateway_is_a_door)
def metrics_at_the_door(m):
    m.find("Service", "gateway")["spec"]["ports"].append({"name": "admin", "port": 9090, "targetPort": "admin"})


@mutant(rules.processes_listen_where_they_are_called)
def container_on_wrong_port(m):
    container(m, "feedback")["ports"][0]["containerPort"] = 50052


@mutant(rules.processes_listen_where_they_are_called)
def listens_to_itself(m):
    container(m, "aggregator")["args"].append("--listen=127.0.0.1:50051")


@mutant(rules.peers_exist)
def peer_of_another_name(m):
    container(m, "gateway").setdefault("env", []).append(
        {"name": "VERDICT_TOKEN_ADDRESS", "value": "dns:///tokens:50051"})


@mutant(rules.peers_exist)
def peers_swapped(m):
    container(m, "gateway").setdefault("env", []).append(
        {"name": "VERDICT_TOKEN_ADDRESS", "value": "dns:///feedback:50051"})


@mutant(rules.peers_exist)
def peer_on_wrong_port(m):
    container(m, "feedback")["env"][0]["value"] = "dns:///token:9090"


@mutant(rules.grace_covers_the_drain)
def grace_too_short(m):
    m.workload("feedback").pod["terminationGracePeriodSeconds"] = 30


@mutant(rules.grace_covers_the_drain)
def drain_too_long(m):
    container(m, "gateway").setdefault("env", []).append({"name": "VERDICT_DRAIN_TIMEOUT", "value": "1m"})


@mutant(rules.grace_covers_the_drain)
def no_pause_before_the_end(m):
    del container(m, "token")["lifecycle"]


@mutant(rules.rollouts_keep_serving)
def rollout_takes_the_last_pod(m):
    m.workload("token").spec["strategy"]["rollingUpdate"] = {"maxUnavailable": 1, "maxSurge": 0}


@mutant(rules.secrets_are_files)
def secret_from_environment(m):
    container(m, "token")["env"] = [
        {"name": "X", "valueFrom": {"secretKeyRef": {"name": "database-token", "key": "dsn"}}}]


@mutant(rules.secrets_are_files)
def all_of_a_secret_from_environment(m):
    container(m, "token")["envFrom"].append({"secretRef": {"name": "database-token"}})


@mutant(rules.secrets_are_files)
def secret_as_a_setting(m):
    settings = container(m, "gateway")["envFrom"][0]["configMapRef"]["name"]
    m.find("ConfigMap", settings)["data"]["VERDICT_ADMIN_KEY"] = "x"


@mutant(rules.secrets_are_files)
def secret_as_an_argument(m):
    container(m, "token")["args"].append("--database-dsn=host=postgres password=x")


@mutant(rules.secret_files_are_there)
def secret_that_does_not_exist(m):
    m.workload("token").secret_mounts()[0][1]["secretName"] = "database-tokens"


@mutant(rules.secret_files_are_there)
def secret_without_the_file(m):
    container(m, "token")["args"][0] = "--database-dsn-file=/secrets/database/dns"


@mutant(rules.secret_files_are_there)
def path_outside_of_mounts(m):
    container(m, "feedback")["args"][1] = "--keyset-dir=/secrets/keys"


@mutant(rules.secret_files_are_there)
def secret_never_refreshed(m):
    m.workload("token").secret_mounts()[1][0]["subPath"] = "keyset.json"


@mutant(rules.secret_files_are_there)
def secret_for_everybody(m):
    del m.workload("token").secret_mounts()[0][1]["defaultMode"]


@mutant(rules.secrets_stay_with_their_holders)
def gateway_can_sign(m):
    m.workload("gateway").pod["volumes"].append({"name": "keyset", "secret": {"secretName": "keyset"}})
    container(m, "gateway")["volumeMounts"].append({"name": "keyset", "mountPath": "/secrets/keyset"})


@mutant(rules.secrets_stay_with_their_holders)
def aggregator_writes(m):
    secret = m.workload("feedback").secret_mounts()[0][1]["secretName"]
    m.workload("aggregator").secret_mounts()[0][1]["secretName"] = secret


@mutant(rules.settings_exist)
def settings_that_do_not_exist(m):
    container(m, "gateway")["envFrom"][0]["configMapRef"]["name"] = "setings"


@mutant(rules.only_scratch_space_is_writable)
def unbounded_scratch_space(m):
    next(v for v in m.workload("token").pod["volumes"] if v["name"] == "tmp")["emptyDir"] = {}


@mutant(rules.only_scratch_space_is_writable)
def folder_of_the_node(m):
    m.workload("token").pod["volumes"] = [{"name": "tmp", "hostPath": {"path": "/tmp"}}]


@mutant(rules.accounts_have_no_rights)
def default_account(m):
    del m.workload("gateway").pod["serviceAccountName"]


@mutant(rules.accounts_have_no_rights)
def shared_account(m):
    m.workload("gateway").pod["serviceAccountName"] = "token"


@mutant(rules.accounts_have_no_rights)
def account_token_mounted(m):
    m.workload("token").pod["automountServiceAccountToken"] = True


@mutant(rules.the_migration_is_bounded)
def migration_of_another_version(m):
    container(m, "migrate-0-1-0")["image"] = "verdict-migrate:0.2.0"


@mutant(rules.the_migration_is_bounded)
def migration_without_end(m):
    del m.workload("migrate-0-1-0").spec["activeDeadlineSeconds"]
