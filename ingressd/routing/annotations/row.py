"""Row: one annotation, or one key of the controller's ConfigMap, with all that anybody wants to know of it.

Parser, findings, reference page and tests are driven by rows; ``rows/`` holds them by topic and ``table`` gathers them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

T_co = TypeVar("T_co", covariant=True)

Support = Literal["same", "differs", "harmless", "lost", "not yet"]
"""``harmless``: read and without effect, nobody will notice. ``lost``: the same, and it may have
protected something."""

Tier = Literal["T1", "T2", "T3", "X"]
"""T1 is in most manifests, T2 common, T3 rare, X has no meaning or no safe meaning outside nginx."""

Scope = Literal["location", "host", "upstream", "global"]
"""What a value applies to: the Ingress's paths, the whole host, the Service port; ``global``: a ConfigMap key only."""

Outcome = Literal["default", "freeze", "deny"]
"""What a bad value does: the default is used; the Ingress stays as it last was good; its paths answer 503."""

Risk = Literal["Low", "Medium", "High", "Critical"]
RISKS: tuple[Risk, ...] = ("Low", "Medium", "High", "Critical")


class BadValue(ValueError):
    """A value that cannot be used: ``str()`` names what is wrong and what would be right.

    ``outcome`` is there when it is not the row's.
    """

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """A type of values. ``parse`` gets text without outer white space, never "", and raises ValueError.

    ``empty`` is the value of a row without a default. ``is_list``: "" in the ConfigMap is a value too, the empty list.
    """

    name: str
    parse: Callable[[str], T_co]
    empty: T_co
    example: str
    is_list: bool = False


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: rows are looked up by identity, many times for each Ingress
class Row(Generic[T_co]):
    """``name`` is without its prefix; ``config_key`` is the ConfigMap key whose value is the default when it has one.

    ``aliases`` are other spellings, the first preferred; ``name`` wins over all. ``guards``: a default used by mistake
    would open what was meant to be closed, so a bad ConfigMap value denies instead. ``is_ours``: read as
    ``ingressd.io/…`` only. ``difference`` says in a sentence where our behaviour differs, or what to do instead.
    """

    name: str
    kind: Kind[T_co]
    default_text: str
    tier: Tier
    about: str
    support: Support
    example: str = ""
    scope: Scope = "location"
    on_bad: Outcome = "default"
    risk: Risk = "Low"
    config_key: str = ""
    aliases: tuple[str, ...] = ()
    difference: str = ""
    guards: bool = False
    is_ours: bool = False
    is_removed: bool = False
    default: T_co = field(init=False)

    def __post_init__(self) -> None:
        default = self.kind.parse(self.default_text) if self.default_text else self.kind.empty
        object.__setattr__(self, "default", default)

    def __repr__(self) -> str:
        return f"Row({self.name})"
