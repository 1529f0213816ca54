"""Short ways to make prometheus_client's metric families from maps."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from ingressd.telemetry.totals import Histogram

Values = Mapping[tuple[str, ...], float]
"""Values of the labels, in the order of their names → the figure."""


def by_one(values: Mapping[str, float]) -> Values:
    return {(name,): value for name, value in dict(values).items()}


def gauge(name: str, text: str, labels: Sequence[str], values: Values) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family


def counter(name: str, text: str, labels: Sequence[str], values: Values) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family


def histogram(name: str, text: str, bounds: Sequence[float], histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(name, text)
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    family.add_metric([], list(zip(names, accumulate(histogram.counts), strict=True)), histogram.total)
    return family
