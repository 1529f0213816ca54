"""Which of several answers wins: one request that every phase of a gate would answer, and fewer and fewer phases."""

from itertools import pairwise
from typing import Any

import pytest

from ingressd.policy.address_list import AddressLists
from ingressd.policy.blocks import Blocks
from ingressd.policy.client_certificate import ClientCertificates, Verify
from ingressd.policy.cors import Cors
from ingressd.policy.phases import Phase
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import RateLimits
from ingressd.policy.redirects import AppRoot, FixedRedirect, HttpsRedirect
from ingressd.policy.rewrite import Rewrite
from ingressd.policy.trailing_slash import TrailingSlash
from ingressd.proxy.steps import BINDERS
from tests.proxy.gated import APP, alone, gated, get

REQUEST = get("Origin: https://b", "User-Agent: bad", method="OPTIONS", body=b"x" * 100)

# Of each phase: what a route has to ask for, and the status and reason of its answer to REQUEST.
PHASES: dict[Phase, tuple[dict[str, Any], int, str]] = {
    Phase.CLIENT_CERTIFICATE: ({"client": Verify.REQUIRED}, 403, "client_certificate_authority_missing"),
    Phase.BLOCKED: ({"blocks": Blocks(user_agents=("bad",))}, 403, "user-agent-blocked"),
    Phase.CERTIFICATE_NAME: ({"client": Verify.OPTIONAL}, 403, "client_certificate_name"),
    Phase.APP_ROOT: ({"app_root": AppRoot("/app")}, 302, "app_root"),
    Phase.BODY_SIZE: ({"max_body_bytes": 10}, 413, "body_too_large"),
    Phase.TRAILING_SLASH: ({"trailing_slash": TrailingSlash("/")}, 301, "trailing_slash"),
    Phase.CORS_PREFLIGHT: ({"cors": Cors()}, 204, "cors_preflight"),
    Phase.REDIRECT: ({"redirect": FixedRedirect("https://else.example/", 301)}, 301, "redirect"),
    Phase.DENIED: ({"denied": "for a reason"}, 503, "denied"),
    Phase.REWRITE: ({"rewrite": Rewrite("/", "https://new.example/")}, 302, "rewrite_redirect"),
    Phase.HTTPS_REDIRECT: ({"https_redirect": HttpsRedirect()}, 308, "https_redirect"),
    Phase.NO_ENDPOINTS: ({"ports": ()}, 503, "no_endpoints"),
    Phase.LIMITS: ({"limits": RateLimits("all", per_second=1, burst_multiplier=-1)}, 503, "too_many_requests"),
    Phase.ACCESS: ({"addresses": AddressLists(deny=("0.0.0.0/0",))}, 403, "address-not-allowed"),
    Phase.UPSTREAM: ({}, 200, ""),
}


def answer(*phases: Phase) -> tuple[int, str]:
    """Status and reason of what a route that has these phases answers to REQUEST."""
    asked: dict[str, Any] = {}
    for phase in phases:
        asked.update({key: value for key, value in PHASES[phase][0].items() if key not in asked})
    verify, ports = asked.pop("client", None), asked.pop("ports", (1,))
    max_body_bytes = asked.pop("max_body_bytes", 1 << 20)
    if verify is not None:
        name_pattern = "CN=jo" if Phase.CERTIFICATE_NAME in phases else ""
        asked["client_certificates"] = ClientCertificates("trust:default/ca", verify, name_pattern=name_pattern)
    path = gated(RoutePolicies(**asked), max_body_bytes=max_body_bytes, backends={APP: ports}, shared_limits=alone())
    if Phase.CLIENT_CERTIFICATE not in phases:
        path.gateway.client_trust = {"a.example": "authorities"}
    path.send(REQUEST)
    [status] = path.statuses
    path.close()
    return status, "".join(path.local.rejected())


def test_every_phase_is_bound_in_its_place() -> None:
    assert [*BINDERS, Phase.ACCESS, Phase.UPSTREAM] == list(Phase) == list(PHASES)


@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name)
def test_each_answers(phase: Phase) -> None:
    assert answer(phase) == PHASES[phase][1:]


@pytest.mark.parametrize(("first", "second"), list(pairwise(Phase)), ids=lambda phase: phase.name)
def test_of_two_neighbours_the_first_answers(first: Phase, second: Phase) -> None:
    assert answer(first, second) == answer(second, first) == PHASES[first][1:]


@pytest.mark.parametrize("first", Phase, ids=lambda phase: phase.name)
def test_of_all_that_are_left_the_first_answers(first: Phase) -> None:
    assert answer(*(phase for phase in Phase if phase >= first)) == PHASES[first][1:]
