"""The fields of Kubernetes objects: names, types and what is required, from the API's own description.

Debian's python3-kubernetes has a class for each object, made from the OpenAPI document of Kubernetes
1.22. What came later, and the one kind that no core API has, is listed here.
"""

import re

from kubernetes.client import Configuration, models

# Later than 1.22: a native sidecar (1.28).
LATER = {"V1Container": {"restartPolicy": "str"}}

# Kinds by their classes there. autoscaling/v2 (1.23) is v2beta2 under its final name.
CLASSES = {"v1/Namespace": "V1Namespace", "v1/ConfigMap": "V1ConfigMap", "v1/Service": "V1Service",
           "apps/v1/Deployment": "V1Deployment", "apps/v1/StatefulSet": "V1StatefulSet",
           "policy/v1/PodDisruptionBudget": "V1PodDisruptionBudget",
           "autoscaling/v2/HorizontalPodAutoscaler": "V2beta2HorizontalPodAutoscaler",
           "networking.k8s.io/v1/NetworkPolicy": "V1NetworkPolicy"}

# The Prometheus operator's own kind, as far as one uses it (its API reference, ServiceMonitorSpec).
SERVICE_MONITOR = {
    "apiVersion": str, "kind": str,
    "metadata": {"name": str, "namespace": str, "labels": dict},
    "spec": {"selector": {"matchLabels": dict}, "namespaceSelector": {"matchNames": list},
             "jobLabel": str, "targetLabels": list,
             "endpoints": [{"port": str, "path": str, "scheme": str, "interval": str,
                            "scrapeTimeout": str, "honorLabels": bool}]},
}

PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float)}
UNCHECKED = {"object", "datetime"}  # object: a number or a name, such as a port


def mistakes(document):
    """What an API server would refuse, as sentences with the field's path."""
    kind = f"{document.get('apiVersion')}/{document.get('kind')}"
    if kind == "monitoring.coreos.com/v1/ServiceMonitor":
        yield from by_shape(SERVICE_MONITOR, document, document["kind"])
    elif kind in CLASSES:
        yield from by_class(CLASSES[kind], document, document["kind"])
    else:
        yield f"{kind} is no known kind"


def by_shape(shape, value, where):
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{where}: no object"
            return
        for key, each in value.items():
            if key in shape:
                yield from by_shape(shape[key], each, f"{where}.{key}")
            else:
                yield f"{where}.{key}: no such field"
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{where}: no list"
            return
        for number, each in enumerate(value):
            yield from by_shape(shape[0], each, f"{where}[{number}]")
    elif not isinstance(value, shape):
        yield f"{where}: not of type {shape.__name__}"


def by_type(name, value, where):
    """A type as the classes write it: str, list[V1Container], dict(str, str), V1Probe."""
    several = re.fullmatch(r"(list)\[(.*)\]|(dict)\(str, (.*)\)", name)
    if several and several[1]:
        if not isinstance(value, list):
            yield f"{where}: no list"
            return
        for number, each in enumerate(value):
            yield from by_type(several[2], each, f"{where}[{number}]")
    elif several:
        if not isinstance(value, dict):
            yield f"{where}: no object"
            return
        for key, each in value.items():
            yield from by_type(several[4], each, f"{where}.{key}")
    elif name in PLAIN:
        if not isinstance(value, PLAIN[name]) or (name == "int" and isinstance(value, bool)):
            yield f"{where}: not of type {name}"
    elif name not in UNCHECKED:
        yield from by_class(name, value, where)


def by_class(name, value, where):
    if not isinstance(value, dict):
        yield f"{where}: no object"
        return
    model = getattr(models, name)
    fields = {json: model.openapi_types[field] for field, json in model.attribute_map.items()}
    fields |= LATER.get(name, {})
    for key, each in value.items():
        if key in fields:
            yield from by_type(fields[key], each, f"{where}.{key}")
        else:
            yield f"{where}.{key}: no such field"
    yield from missing(model, value, where)


def missing(model, value, where):
    """A required field refuses None, and so says its own name; the others take anything."""
    checking = Configuration()
    checking.client_side_validation = True
    thing = model.__new__(model)
    thing.local_vars_configuration = checking
    for field, json in model.attribute_map.items():
        if json in value:
            continue
        try:
            setattr(thing, field, None)
        except ValueError:
            yield f"{where}.{json}: is required"
