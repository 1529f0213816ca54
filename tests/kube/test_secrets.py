"""What of ConfigMaps is kept in memory. (Of Secrets: ``tests/cluster/test_cluster_source.py``.)"""

from ingressd.kube.secrets import MAX_VALUE_CHARACTERS, trim
from tests.support.objects import config_map


def test_settings_and_header_sets_are_kept_as_they_are() -> None:
    whole = config_map("headers", {"X-Team": "shop", "X-Long": "a" * MAX_VALUE_CHARACTERS})
    assert trim(whole) is whole


def test_somebodys_file_is_not_kept() -> None:
    mixed = config_map("files", {"X-Team": "shop", "dump.sql": "a" * (MAX_VALUE_CHARACTERS + 1)})
    assert trim(mixed) == config_map("files", {"X-Team": "shop"})
