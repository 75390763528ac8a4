"""The rules about topologies, family by family: a new one is entered here."""

from __future__ import annotations

from typing import Final

from zmqtopo.checks.rule import Rule
from zmqtopo.checks.rules import (
    access,
    delivery,
    endpoints,
    flow,
    http,
    inproc,
    monitor,
    options,
    pairs,
    partners,
    references,
    security,
    unusable,
)

TOPOLOGY_RULES: Final[tuple[Rule, ...]] = (
    access.ipc_permissions,
    delivery.duplicate_connect,
    delivery.absent_worker,
    delivery.lost_unsubscription,
    delivery.unstable_connection,
    endpoints.bad_endpoint,
    endpoints.ipc_path_too_long,
    endpoints.connect_wildcard,
    endpoints.bind_conflict,
    references.unknown_reference,
    endpoints.no_endpoint,
    endpoints.unbound_endpoint,
    endpoints.privileged_port,
    flow.forwarding_loop,
    inproc.inproc_across_processes,
    inproc.inproc_unbound,
    monitor.mon_type,
    monitor.mon_not_allowed,
    monitor.mon_missing,
    monitor.mon_blocks,
    options.option_scope,
    options.unlimited_hwm,
    options.few_subscriptions,
    pairs.socket_pair,
    pairs.router_router,
    partners.incompatible_peers,
    partners.pair_fan_in,
    partners.duplicate_routing_id,
    security.security_both_ways,
    security.curve_keys,
    security.server_key_missing,
    security.mixed_security,
    security.no_authenticator,
    http.http_without_token,
    unusable.unusable_option,
    unusable.transport_scope,
)
"""What is asked of a topology by itself."""
