"""The validated value of a file to the frozen model, every default filled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

from zmqtopo.config.endpoint import EndpointError, parse
from zmqtopo.config.http import DEFAULT
from zmqtopo.config.ipv6 import with_ipv6
from zmqtopo.config.load.profiles import profile
from zmqtopo.config.model import (
    DEFAULT_TYPES,
    Address,
    ContextSettings,
    Device,
    File,
    Http,
    Limits,
    MonSocket,
    OptionValue,
    Peer,
    Reference,
    Restart,
    Role,
    Run,
    Socket,
    Topology,
)
from zmqtopo.config.names import REFERENCE, to_name
from zmqtopo.config.options import is_known, option_value, spelled_out
from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.schema.definitions import Schema, definition, schema
from zmqtopo.config.security import with_security
from zmqtopo.config.units import quantity
from zmqtopo.config.yaml.source import STDIN, Source
from zmqtopo.config.yaml.tree import UNKNOWN, Spot, Value

GROUP_MODE = "0660"
"""Mode of a path with a group and no mode: what a umask usually leaves would keep the group out."""

Inherited = tuple[Run, Restart, float, bool]
"""``run``, ``restart``, ``stop_timeout`` and ``peers``: what a device has from ``defaults``."""

_ALIASES = {"XREQ": "DEALER", "XREP": "ROUTER"}  # libzmq 2's names of the same socket types


class Builder:
    """One building of one topology. ``problems`` are times and sizes out of range."""

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._folder = Path() if source.file == STDIN else Path(source.file).parent

    def topology(self, value: dict[str, Value]) -> Topology:
        """Return the topology of a value in which all that is wrong is UNKNOWN."""
        spot = self._source.spot
        stem = "stdin" if self._source.file == STDIN else Path(self._source.file).stem
        defaults = _mapping(value, "defaults")
        context = _mapping(value, "context")
        usual: Inherited = Run(), Restart(), 5.0, value.get("peers") is not False
        inherited = self._settings(defaults, spot["defaults"], *usual) if defaults else usual
        limits = self._limits(defaults, spot, Limits(), "defaults") if defaults else Limits()
        doubted = _unread(value.get("defaults", {}), schema()["properties"]["defaults"])
        self._security = _security(defaults, spot["defaults"], ("", Place())) if defaults else ("", Place())
        return with_security(with_ipv6(Topology(
            name=_get(value, "name", to_name(stem)),
            devices={name: self._device(name, entry, at, inherited, limits, doubted)
                     for name, entry, at in _entries(value, "devices", spot)},
            peers={name: self._peer(name, entry, at) for name, entry, at in _entries(value, "peers", spot)},
            description=_get(value, "description", ""),
            version=_get(value, "version", 1),
            context=ContextSettings(_get(context, "io_threads", 1), _get(context, "max_sockets", None)),
            http=self._http(value["http"], spot) if "http" in value else None,
            security={name: profile(name, entry, at, self._folder, self._report)
                      for name, entry, at in _entries(value, "security", spot)},
            file=self._source.file,
            unread=_unread(value, schema()),
        )))

    def _http(self, value: Value, holder: Spot) -> Http:
        spot = holder["http"]
        if isinstance(value, str):
            return Http(value, place=spot.place)
        unread = _unread(value, _kind("http")["then"])
        said = value if isinstance(value, dict) else {}
        token = said.get("token")
        path = token.get("file") if isinstance(token, dict) else None
        if isinstance(path, str) and "\0" in path:
            self._report("the path of the file has a zero byte", spot["token"])
            path = None
        return Http(
            str(_get(said, "listen", DEFAULT)), bool(_get(said, "control", False)), bool(_get(said, "tap", False)),
            File(str((self._folder / path).absolute())) if isinstance(path, str) else None,
            tuple(str(name) for name in said.get("hosts", ()) if name is not UNKNOWN) if is_known(said.get("hosts", []))
            else (),
            place=_place(spot, said, "listen"), token_place=_place(spot, said, "token"), unread=unread,
        )

    def _device(self, name: str, value: dict[str, Value], spot: Spot,
                inherited: Inherited, limits: Limits, doubted: frozenset[str]) -> Device:
        kind = _get(value, "type", "")
        types = DEFAULT_TYPES.get(kind, ("", ""))
        run, restart, stop_timeout, peers = self._settings(value, spot, *inherited)
        linger = round(stop_timeout * 1000)
        usual = _security(value, spot, self._security)
        mon = self._socket("mon", value["mon"], spot, "PUB", linger, usual) if "mon" in value else None
        return Device(
            name, kind,
            self._socket("in", value["in"], spot, types[0], linger, usual),
            self._socket("out", value["out"], spot, types[1], linger, usual),
            cast("MonSocket | None", mon), run, restart, stop_timeout,
            _get(value, "description", ""), _graph(value), self._limits(value, spot, limits), peers,
            unread=_unread(value, _kind("device")) | (doubted - value.keys()),
            place=spot.key_place, type_place=_place(spot, value, "type"),
        )

    def _settings(self, value: dict[str, Value], spot: Spot, run: Run, restart: Restart,
                  stop_timeout: float, peers: bool) -> Inherited:
        """Return ``run``, ``restart``, ``stop_timeout`` and ``peers`` of a device or of ``defaults``."""
        if (text := _get(value, "run", None)) is not None:
            kind, _, group = text.partition("/")
            run = Run(kind, group or None)
        if (said := _get(value, "restart", None)) is not None:
            said = {"policy": said} if isinstance(said, str) else said
            restart = self._restart(said, spot["restart"])
        return run, restart, self._seconds(value, "stop_timeout", spot, stop_timeout), _get(value, "peers", peers)

    def _limits(self, value: dict[str, Value], holder: Spot, usual: Limits, at: str = "") -> Limits:
        """Return the limits of a device or of ``defaults``; what one does not say it has from ``usual``."""
        given = {key: said for key, said in _mapping(value, "limits").items() if is_known(said) and key[:2] != "x-"}
        if not given:
            return usual
        spot = (holder[at] if at else holder)["limits"]
        rules = _kind("limits")["properties"]
        found: dict[str, int | float | None] = {}
        places = dict(usual.places)
        for key, said in given.items():
            known = definition(rules[key])
            try:
                number = quantity(said, known) if "x-unit" in known else said
            except ValueError as error:
                self._report(str(error), spot[key])
                continue
            found[key] = None if number == -1 else number
            places[key] = spot[key].place
        return replace(usual, places=places, **found)      # type: ignore[arg-type]  # the schema has checked the types

    def _restart(self, value: dict[str, Value], spot: Spot) -> Restart:
        usual = Restart()
        backoff = usual.backoff
        if is_known(pair := _get(value, "backoff", None)) and pair:
            at = spot["backoff"]
            first, longest = (self._quantity(pair[i], at[i], backoff[i]) for i in (0, 1))
            if first > longest:
                self._report(f"the first pause, {pair[0]}, is longer than the longest, {pair[1]}", at,
                             "write the shorter one first")
            else:
                backoff = first, longest
        return Restart(_get(value, "policy", usual.policy), backoff, _get(value, "max_retries", None),
                       self._seconds(value, "stable_after", spot, usual.stable_after))

    def _socket(self, role: Role, value: Value, holder: Spot, usual: str, linger: int,
                security: tuple[str, Place]) -> Socket:
        spot = holder.get(role)
        place = spot.key_place
        unread = _unread(value, _kind("mon" if role == "mon" else "socket"))
        if value is UNKNOWN:
            return (MonSocket if role == "mon" else Socket)(role, "", unread=unread, place=place, type_place=place)
        kind = _socket_type(value, usual)
        options: dict[str, OptionValue] = {}
        places: dict[str, Place] = {}
        given = _mapping(value, "options")
        for name, said, content in spelled_out(given, kind):
            at = spot["options"].get(said)
            places[name] = at.key_place     # also of what could not be read: it may be there
            if is_known(content):
                try:
                    options[name] = option_value(said, content, self._folder)
                except ValueError as error:
                    self._report(str(error), at)
        options.setdefault("linger", linger)
        if kind == "ROUTER":
            # Or libzmq drops silently what a client that is full or gone cannot take, and nobody can count it. Not for
            # REP, which libzmq lets have it, and then aborts when a peer has gone.
            options.setdefault("router_mandatory", True)
        if kind == "SUB" and "subscribe" not in given:
            options["subscribe"] = ("",)
        bind = tuple(self._addresses(value, spot, "bind"))
        connect = tuple(_connection(a) for a in self._addresses(value, spot, "connect"))
        type_place = _place(spot, value, "type")
        group = _get(value, "group", None)
        said = _get(value, "mode", None if group is None else GROUP_MODE)
        shared = (role, kind, bind, connect, options, unread, place, type_place, places,
                  None if said is None else int(said, 8), group, _place(spot, value, "mode"),
                  _place(spot, value, "group"), *_security(value, spot, security))
        if role != "mon":
            return Socket(*shared)
        prefix = _get(value, "prefix", {})
        prefix = dict.fromkeys(("in", "out")) if prefix is None else prefix
        return MonSocket(*shared, prefix_in=_bytes(prefix, "in"), prefix_out=_bytes(prefix, "out"),
                         overflow=_get(value, "overflow", "block"), overflow_place=_place(spot, value, "overflow"))

    def _peer(self, name: str, value: dict[str, Value], spot: Spot) -> Peer:
        return Peer(
            name, _socket_type(value, ""), tuple(self._addresses(value, spot, "bind")),
            tuple(_connection(a) for a in self._addresses(value, spot, "connect")),
            _get(value, "description", ""), _graph(value),
            unread=_unread(value, _kind("peer")), place=spot.key_place, type_place=_place(spot, value, "type"),
            security=_none(value["security"]) if is_known(value.get("security", UNKNOWN)) else None,
            security_place=_place(spot, value, "security"),
        )

    def _addresses(self, value: dict[str, Value], spot: Spot, key: str) -> Iterator[Address]:
        said = _get(value, key, None)
        if isinstance(said, str):
            yield _address(said, spot[key].place)
        elif said is not None:
            at = spot[key]
            for index, text in enumerate(said):
                if text is not UNKNOWN:
                    yield _address(text, at[index].place)

    def _seconds(self, value: dict[str, Value], key: str, spot: Spot, usual: float) -> float:
        said = _get(value, key, None)
        return usual if said is None else self._quantity(said, spot[key], usual)

    def _quantity(self, said: float | str, spot: Spot, usual: float) -> float:
        try:
            return quantity(said, schema()["definitions"]["duration"])
        except ValueError as error:
            self._report(str(error), spot)
            return usual

    def _report(self, message: str, spot: Spot, hint: str = "") -> None:
        self.problems.append(Problem("bad-value", "error", message, self._source.file, spot.place, hint))


def _get(value: dict[str, Value], key: str, usual: Value) -> Value:
    found = value.get(key, usual)
    return usual if found is UNKNOWN else found


def _mapping(value: dict[str, Value], key: str) -> dict[str, Value]:
    found = _get(value, key, None)
    return found if isinstance(found, dict) else {}


def _entries(value: dict[str, Value], section: str, spot: Spot) -> Iterator[tuple[str, dict[str, Value], Spot]]:
    entries = _mapping(value, section)
    if not entries:
        return
    at = spot[section]
    required = definition(schema()["properties"][section]["additionalProperties"]).get("required", ())
    for name, entry in entries.items():
        # An entry that is no mapping is there all the same, so that a reference to it finds something.
        yield name, dict.fromkeys((*required, "?"), UNKNOWN) if entry is UNKNOWN else entry, at[name]


def _security(value: dict[str, Value], spot: Spot, usual: tuple[str, Place]) -> tuple[str, Place]:
    """The name of the profile that a mapping names, and where; as ``usual`` where it names none."""
    said = _get(value, "security", None)
    return usual if said is None else (_none(said), spot["security"].place)


def _none(name: str) -> str:
    return "" if name == "none" else name


def _kind(name: str) -> Schema:
    found: Schema = schema()["definitions"][name]
    return found


def _unread(value: Value, rules: Schema) -> frozenset[str]:
    """Return the keys of a mapping, those that are not there included, of which nobody knows what they say."""
    known = rules["properties"].keys()
    if value is UNKNOWN:
        return frozenset(known)
    unread = {key for key, said in value.items() if said is UNKNOWN or (isinstance(said, list) and UNKNOWN in said)}
    # A key that nobody knows may stand for any that is not there.
    return frozenset(unread if unread <= known else unread | (known - value.keys()))


def _place(spot: Spot, value: dict[str, Value], key: str) -> Place:
    """Return the place of the value of ``key``, or of the key of the mapping where there is none."""
    return spot[key].place if _get(value, key, None) is not None else spot.key_place


def _socket_type(value: dict[str, Value], usual: str) -> str:
    if value.get("type") is UNKNOWN:
        return ""
    kind = str(_get(value, "type", usual)).upper()
    return _ALIASES.get(kind, kind)


def _graph(value: dict[str, Value]) -> dict[str, str]:
    return {key: said for key, said in _mapping(value, "graph").items() if said is not UNKNOWN}


def _bytes(prefix: dict[str, Value], key: str) -> bytes | None:
    said = _get(prefix, key, key)
    # What a variable brings may be any bytes, and Python keeps those that are not text as surrogates.
    return said if said is None or isinstance(said, bytes) else str(said).encode(errors="surrogateescape")


def _address(text: str, place: Place) -> Address:
    try:
        return Address(text, parse(text), place)
    except EndpointError:
        return Address(text, None, place)  # the rule bad-endpoint says why


def _connection(address: Address) -> Address | Reference:
    named = REFERENCE.fullmatch(address.text)
    return Reference(named[1], cast("Role", named[2]), address.place) if named else address
