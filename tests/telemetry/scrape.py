"""Reads /metrics as Prometheus would."""

from collections.abc import Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


def families(text: bytes) -> dict[str, Metric]:
    """By name; a family that comes twice is an error, as it is for Prometheus."""
    found: dict[str, Metric] = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.name not in found, f"{family.name} comes twice"
        found[family.name] = family
    return found


def samples(text: bytes) -> dict[Sample, float]:
    """Every sample by name and labels; one that comes twice is an error."""
    found: dict[Sample, float] = {}
    for family in families(text).values():
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} comes twice"
            found[key] = sample.value
    return found


def value(text: bytes, name: str, labels: Mapping[str, str] | None = None) -> float:
    return samples(text)[name, frozenset((labels or {}).items())]


def label_sets(text: bytes, name: str) -> list[dict[str, str]]:
    return [dict(labels) for sample, labels in samples(text) if sample == name]
