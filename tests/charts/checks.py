"""
What must hold for the objects the chart renders. Each check returns its faults as sentences, and none when all is well.

Pure functions over parsed objects, so that `test_checks_can_fail` can hand each of them a broken manifest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Objects = list[dict[str, Any]]

POD_KINDS = ("Deployment", "Job", "CronJob")
REACHED_BY_SECRET = re.compile(r"password|secret|token|private|passphrase|(^|_)pin($|_)|(^|_)key($|_)", re.IGNORECASE)


def name_of(thing: Mapping[str, Any]) -> str:
    """Kind and name, for a person who reads a fault."""
    return f"{thing['kind']}/{thing['metadata']['name']}"


def of_kind(objects: Objects, *kinds: str) -> Objects:
    """The objects of these kinds, in order."""
    return [thing for thing in objects if thing["kind"] in kinds]


def component(thing: Mapping[str, Any]) -> str:
    """The entry of `services` an object belongs to."""
    return str(thing["metadata"]["labels"]["app.kubernetes.io/component"])


def pod(thing: Mapping[str, Any]) -> dict[str, Any]:
    """The pod's specification inside a workload."""
    spec: dict[str, Any] = _template(thing)["spec"]
    return spec


def _template(thing: Mapping[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = (thing["spec"]["jobTemplate"] if thing["kind"] == "CronJob" else thing)["spec"]["template"]
    return template


def containers(thing: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All containers of a workload, helpers too."""
    return [*pod(thing)["containers"], *pod(thing).get("initContainers", [])]


def our_container(thing: Mapping[str, Any]) -> dict[str, Any]:
    """The container that runs hocba: the chart puts it first."""
    container: dict[str, Any] = pod(thing)["containers"][0]
    return container


def variables(thing: Mapping[str, Any]) -> dict[str, str]:
    """Names and plain values of our container's environment; a reference has an empty value."""
    return {entry["name"]: entry.get("value", "") for entry in our_container(thing)["env"]}


def every_entry_once(objects: Objects, entries: Iterable[str]) -> list[str]:
    """Each entry of `services` is one Deployment, and there is no other."""
    found = sorted(component(thing) for thing in of_kind(objects, "Deployment"))
    wanted = sorted(entries)
    return [] if found == wanted else [f"Deployments are {found}, the services are {wanted}"]


def names_are_unique(objects: Objects) -> list[str]:
    """No two objects share kind and name."""
    names = [name_of(thing) for thing in objects]
    return [f"{name} is rendered {names.count(name)} times" for name in sorted(set(names)) if names.count(name) > 1]


def no_secret_inline(objects: Objects) -> list[str]:
    """Nothing secret stands in a manifest: no Secret object, and every variable that sounds secret is a file's path or empty."""
    faults = [f"{name_of(thing)}: secrets come from outside of the chart" for thing in of_kind(objects, "Secret")]
    for thing in of_kind(objects, *POD_KINDS):
        for container in containers(thing):
            for entry in container.get("env", []):
                value = str(entry.get("value", ""))
                if REACHED_BY_SECRET.search(entry["name"]) and value and not value.startswith("/"):
                    faults.append(f"{name_of(thing)}: {entry['name']} holds a value, not a path")
                if re.search(r"://[^/@:]*:[^/@]+@", value):
                    faults.append(f"{name_of(thing)}: {entry['name']} holds a password in a URL")
    return faults


def pods_are_restricted(objects: Objects) -> list[str]:
    """Every pod fits the Pod Security Standard `restricted`, with a read-only root and no service account token."""
    faults = []
    for thing in of_kind(objects, *POD_KINDS):
        spec, where = pod(thing), name_of(thing)
        context = spec.get("securityContext", {})
        if not context.get("runAsNonRoot") or context.get("runAsUser") != 10001:
            faults.append(f"{where}: must run as the image's user 10001 and never as root")
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            faults.append(f"{where}: seccomp profile must be RuntimeDefault")
        if spec.get("automountServiceAccountToken") is not False or spec.get("enableServiceLinks") is not False:
            faults.append(f"{where}: no service account token and no service links belong in the pod")
        if any(spec.get(host) for host in ("hostNetwork", "hostPID", "hostIPC")):
            faults.append(f"{where}: shares a namespace with its host")
        faults += [f"{where}: volume {v['name']} is a host path" for v in spec.get("volumes", []) if "hostPath" in v]
        for container in containers(thing):
            inner = container.get("securityContext", {})
            if inner.get("allowPrivilegeEscalation") is not False or inner.get("readOnlyRootFilesystem") is not True:
                faults.append(f"{where}/{container['name']}: privilege escalation or a writable root")
            if inner.get("capabilities", {}).get("drop") != ["ALL"] or inner.get("capabilities", {}).get("add"):
                faults.append(f"{where}/{container['name']}: must drop all capabilities and add none")
    return faults


def mounts_have_volumes(objects: Objects) -> list[str]:
    """Every mount names a volume of its pod, and every secret file a variable points to is mounted."""
    faults = []
    for thing in of_kind(objects, *POD_KINDS):
        volumes = {volume["name"] for volume in pod(thing).get("volumes", [])}
        mounts = {mount["mountPath"]: mount["name"] for mount in our_container(thing)["volumeMounts"]}
        faults += [f"{name_of(thing)}: mount {m} has no volume" for m in mounts.values() if m not in volumes]
        for name, value in variables(thing).items():
            if name.endswith("_FILE") and not any(value.startswith(f"{path}/") for path in mounts):
                faults.append(f"{name_of(thing)}: {name} points to {value}, which no mount provides")
    return faults


def probes_reach_plain_health(objects: Objects) -> list[str]:
    """Probes speak no mTLS: they ask the plaintext health port, liveness about the process alone."""
    faults = []
    for thing in of_kind(objects, "Deployment"):
        container, where = our_container(thing), name_of(thing)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        wanted = {"startupProbe": "liveness", "livenessProbe": "liveness", "readinessProbe": "readiness"}
        for probe, service in wanted.items():
            if container.get(probe, {}).get("grpc") != {"port": ports.get("health"), "service": service}:
                faults.append(f"{where}: {probe} must ask `{service}` on the health port")
        listens = [v for k, v in variables(thing).items() if k.endswith("_HEALTH_LISTEN")]
        if listens != [f"0.0.0.0:{ports.get('health')}"]:
            faults.append(f"{where}: the process doesn't open the health port that the probes ask")
    return faults


def pods_have_time_to_end(objects: Objects) -> list[str]:
    """Kubernetes waits longer than the process may take: preStop, drain, and the grace of calls, batches and tasks."""
    faults = []
    for thing in of_kind(objects, "Deployment"):
        container = our_container(thing)
        pre_stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        seconds = {k.rsplit("_", 2)[-2]: float(v) for k, v in variables(thing).items() if k.endswith(("_DRAIN_SECONDS", "_GRACE_SECONDS"))}
        longest = pre_stop + seconds.get("DRAIN", 0.0) + 3 * seconds.get("GRACE", 0.0)
        if pod(thing)["terminationGracePeriodSeconds"] <= longest:
            faults.append(f"{name_of(thing)}: may take {longest:g} s to end and is killed after {pod(thing)['terminationGracePeriodSeconds']}")
        if "grpc" in {port["name"] for port in container["ports"]} and not pre_stop:
            faults.append(f"{name_of(thing)}: callers need some seconds to notice that it leaves (preStop)")
    return faults


def pods_state_resources(objects: Objects) -> list[str]:
    """Every pod of ours asks for processor time and memory and has a limit of memory."""
    faults = []
    for thing in of_kind(objects, *POD_KINDS):
        resources = our_container(thing).get("resources", {})
        if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
            faults.append(f"{name_of(thing)}: resources are not stated")
        if "cpu" in resources.get("limits", {}):
            faults.append(f"{name_of(thing)}: a limit on processor time throttles the latency of everybody")
    return faults


def pods_spread(objects: Objects) -> list[str]:
    """Every Deployment says how its pods spread, by its own labels."""
    faults = []
    for thing in of_kind(objects, "Deployment"):
        if not pod(thing).get("topologySpreadConstraints"):
            faults.append(f"{name_of(thing)}: all pods may land on one host")
    return faults


def selectors_match(objects: Objects) -> list[str]:
    """Services, budgets and policies select pods that exist; selectors hold nothing that changes with a version."""
    templates = [_template(thing)["metadata"]["labels"] for thing in of_kind(objects, "Deployment", "CronJob")]
    faults = []
    for thing in objects:
        selector = _selector(thing)
        if selector is None:
            continue
        if not any(selector.items() <= labels.items() for labels in templates):
            faults.append(f"{name_of(thing)}: selects no pod")
        if not set(selector) <= {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}:
            faults.append(f"{name_of(thing)}: its selector holds a label that may change")
    return faults


def _selector(thing: Mapping[str, Any]) -> dict[str, str] | None:
    spec = thing.get("spec", {})
    if thing["kind"] == "Service":
        selector: dict[str, str] = spec["selector"]
        return selector
    if thing["kind"] in {"Deployment", "PodDisruptionBudget"}:
        selector = spec["selector"]["matchLabels"]
        return selector
    if thing["kind"] == "NetworkPolicy":
        selector = spec["podSelector"]["matchLabels"]
        return selector
    return None


def migrations_run_first(objects: Objects) -> list[str]:
    """Hook Jobs need nothing that the release makes later; only they hold the owner's password."""
    faults = []
    hooked = {name_of(thing) for thing in objects if "helm.sh/hook" in (thing["metadata"].get("annotations") or {})}
    made = {f"{thing['kind']}/{thing['metadata']['name']}" for thing in objects}
    for thing in of_kind(objects, "Job"):
        if name_of(thing) in hooked:
            account = f"ServiceAccount/{pod(thing).get('serviceAccountName', 'default')}"
            if account in made and account not in hooked:
                faults.append(f"{name_of(thing)}: needs {account}, which is made after it")
        if not any(name.endswith("_OWNER_PASSWORD_FILE") for name in variables(thing)):
            faults.append(f"{name_of(thing)}: migrates without the owner's password")
    for thing in of_kind(objects, "Deployment", "CronJob"):
        if any("_OWNER_" in name for name in variables(thing)):
            faults.append(f"{name_of(thing)}: only a migration may own its tables")
    return faults


def schedules_end(objects: Objects) -> list[str]:
    """A run by the calendar never meets itself, ends by a deadline, isn't repeated for its findings, and has a time zone of its own."""
    faults = []
    for thing in of_kind(objects, "CronJob"):
        spec, job = thing["spec"], thing["spec"]["jobTemplate"]["spec"]
        if spec.get("concurrencyPolicy") != "Forbid" or not job.get("activeDeadlineSeconds"):
            faults.append(f"{name_of(thing)}: may run beside itself, or for ever")
        if job.get("backoffLimit") != 0 or pod(thing).get("restartPolicy") != "Never":
            faults.append(f"{name_of(thing)}: a finding would be found again and again")
        if not spec.get("timeZone"):
            faults.append(f"{name_of(thing)}: its hours are those of whatever host plans it")
    return faults


def scaled_by_lag(objects: Objects) -> list[str]:
    """ScaledObjects point to a Deployment without a fixed count, keep workers when the broker is away, and calm down slowly."""
    faults = []
    deployments = {thing["metadata"]["name"]: thing for thing in of_kind(objects, "Deployment")}
    for thing in of_kind(objects, "ScaledObject"):
        spec, where = thing["spec"], name_of(thing)
        target = deployments.get(spec["scaleTargetRef"]["name"])
        if target is None or "replicas" in target["spec"]:
            faults.append(f"{where}: its Deployment is missing, or has a count that fights the scaler")
        if not 2 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]:
            faults.append(f"{where}: two workers at least, and not more than the most")
        if spec["fallback"]["behavior"] != "currentReplicasIfHigher":
            faults.append(f"{where}: an unreachable broker would send workers home")
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        if behavior["scaleDown"]["stabilizationWindowSeconds"] < 300 or behavior["scaleUp"]["stabilizationWindowSeconds"] != 0:
            faults.append(f"{where}: up at once, down after five calm minutes")
        for trigger in spec["triggers"]:
            faults += [f"{where}: trigger {key} must be a string" for key, value in trigger["metadata"].items() if not isinstance(value, str)]
            if trigger["type"] == "postgresql":
                if not str(trigger["metadata"].get("targetQueryValue", "")).isdigit() or not trigger.get("authenticationRef"):
                    faults.append(f"{where}: what waits in the database is asked for with a target and a password from a Secret")
                continue
            if trigger["type"] != "kafka" or trigger["metadata"].get("offsetResetPolicy") != "earliest":
                faults.append(f"{where}: lag is read from Kafka, from the earliest record on")
            threshold = str(trigger["metadata"].get("lagThreshold", ""))
            if not threshold.isdigit() or int(threshold) < 1:
                faults.append(f"{where}: lagThreshold must be a positive number")
        if not any("order_backlog" in trigger["metadata"].get("query", "") for trigger in spec["triggers"]):
            faults.append(f"{where}: the lag is bounded by the release of orders, so without the queue's length the workers stay few")
    return faults


ALL = (
    names_are_unique,
    no_secret_inline,
    pods_are_restricted,
    mounts_have_volumes,
    probes_reach_plain_health,
    pods_have_time_to_end,
    pods_state_resources,
    pods_spread,
    selectors_match,
    migrations_run_first,
    schedules_end,
    scaled_by_lag,
)
