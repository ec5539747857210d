"""Read callgrind's output: what each function cost by itself, and what each call from one to another cost."""

from collections import defaultdict
from pathlib import Path

Function = tuple[str, str]  # object (program or library), name


class Profile:
    """Instructions of one run."""

    def __init__(self) -> None:
        self.self_cost: dict[Function, int] = defaultdict(int)
        self.calls: dict[tuple[Function, Function], int] = defaultdict(int)

    def total(self) -> int:
        return sum(self.self_cost.values())


def read(path: Path) -> Profile:
    """The format is in valgrind's manual, "Callgrind Format Specification"; names are given once
    with a number, later by that number alone."""
    profile, names = Profile(), {"ob": {}, "fn": {}}
    here = {"ob": "", "fn": ""}
    callee: dict[str, str] = {}
    inside_call = False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, equals, value = line.rstrip("\n").partition("=")
            if equals and key in ("ob", "fn"):
                here[key] = _name(names[key], value)
            elif equals and key in ("cob", "cfn"):
                callee[key[1:]] = _name(names[key[1:]], value)
            elif equals and key == "calls":
                inside_call = True
            elif line[0].isdigit() or line[0] in "+-*":
                cost = int(line.split()[1])
                caller = (here["ob"], here["fn"])
                if inside_call:
                    target = (callee.get("ob", here["ob"]), callee["fn"])
                    profile.calls[caller, target] += cost
                    inside_call, callee = False, {}
                else:
                    profile.self_cost[caller] += cost
    return profile


def _name(known: dict[str, str], value: str) -> str:
    number, _, name = value.partition(" ")
    if name:
        known[number] = name
    return known.get(number, number)


def difference(small: Profile, big: Profile) -> Profile:
    """What the bigger run cost more: start and end of the process fall out."""
    result = Profile()
    for kind in ("self_cost", "calls"):
        ours, theirs = getattr(big, kind), getattr(small, kind)
        for key in ours.keys() | theirs.keys():
            getattr(result, kind)[key] = ours.get(key, 0) - theirs.get(key, 0)
    return result


def drop_pool_memset(profile: Profile) -> int:
    """Take out libmicrohttpd's zeroing of a connection's whole memory after each request, and
    return what it was. It is one `rep stosb` and cheap, but valgrind counts every byte."""
    dropped = 0
    for (caller, callee), cost in profile.calls.items():
        if "libmicrohttpd" in caller[0] and "memset" in callee[1]:
            profile.self_cost[callee] -= cost
            dropped += cost
    return dropped
