"""Pairs the modules of a file with layers: the only way their shapes fit, or the way their names decide.

Names give an order if they differ in a number: fc1 is before fc2, layer1.0.conv2 before layer1.1.conv1, 2 before 10,
and Keras's dense before dense_1. Words give none, since a file may be sorted by name: fc_in and fc_out. If numbers
leave several ways, two conventions help: bn1 is next to conv1, and "downsample" or "shortcut" is the shorter branch of
a sum.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from chainrule.io.places import Place

__all__ = ["candidates", "pair_up"]

_NUMBER = re.compile(r"(?<![0-9])(?![0-9]+(?:x[0-9]|[dD](?![a-z])))(?<![0-9]x)([0-9]+)")
"""A number that counts, unlike those in 3x3 and conv2d."""

_NORM = r"(?:[bgi]n|(?:batch|group|instance|layer)?_?norm(?:alization)?)"
_SHORTCUT = {"downsample", "shortcut"}

_Links = list[list[tuple[list[int], list[int]]]]
"""For each module: the modules it restricts, and the layers (bits) left to them for each layer it may have."""

_Key = list[tuple[tuple[str, ...], str, bool]]
"""For each number of a name: its context, its digits, and whether it follows a letter; "" at the end of a part."""


def candidates(places: Sequence[Place], modules: Sequence[str], fits: Callable[[Place, str], bool]) -> list[int]:
    """For each module, the layers that it fits, as bits."""
    return [_bits(index for index, place in enumerate(places) if fits(place, module)) for module in modules]


def pair_up(
    places: Sequence[Place], modules: Sequence[str], domains: Sequence[int], keras: bool
) -> tuple[list[int], bool]:
    """The layers left for each module, as bits, and whether each has exactly one: then that is the pairing.

    Args:
        places: the layers, in order.
        modules: as many modules.
        domains: for each module, the layers that it fits.
        keras: whether the names are Keras's, where a name without a number comes before name_1.
    """
    every, nothing = range(len(modules)), _Links([] for _ in modules)
    alone = _settle(domains, every, nothing)
    if alone is None or all(_is_one(domain) for domain in alone):
        return alone or list(domains), alone is not None
    order = _by_number(places, modules, keras)
    ordered = _settle(alone, every, order)
    found = _solutions(ordered, order) if ordered else []
    if len(found) > 1 and ordered:
        narrowed = _beside(places, modules, _settle(_shortcuts(places, modules, ordered), every, order))
        found = _solutions(narrowed, order) if narrowed else []
    return (found[0], True) if len(found) == 1 else (ordered or alone, False)


def _by_number(places: Sequence[Place], modules: Sequence[str], keras: bool) -> _Links:
    """If two names first differ in a number, the module with the smaller number must not come after the other."""
    count = len(places)
    not_later = [~_bits(k for k in range(j, count) if k == j or places[j].runs_before(places[k])) for j in range(count)]
    not_earlier = [~_bits(k for k in range(j + 1) if k == j or places[k].runs_before(places[j])) for j in range(count)]
    keys = [_key(module, keras) for module in modules]
    series = _series(keys)
    return [
        [
            ([other for other, key in enumerate(keys) if _is_before(own, key, series)], not_earlier),
            ([other for other, key in enumerate(keys) if _is_before(key, own, series)], not_later),
        ]
        for own in keys
    ]


def _key(module: str, keras: bool) -> _Key:
    """A name as alternating words and numbers, each number with everything before it and its context."""
    parts = re.split(r"[./]", module)
    if keras:
        parts = [part if re.search(r"_[0-9]+$", part) else f"{part}_0" for part in parts]
    key: _Key = []
    before: tuple[str, ...] = ()
    for part in parts:
        word, place = _NUMBER.sub("#", part), 0
        for match in _NUMBER.finditer(part):
            is_glued = match.start() > 0 and part[match.start() - 1].isalpha()
            key.append(((*before, word), match[0], is_glued))
            before, place = (*before, part[place : match.end()]), match.end()
        key.append(((*before, word), "", False))
        before = (*before, part)
    return key


def _series(keys: Iterable[_Key]) -> set[tuple[str, ...]]:
    """Where numbers are consecutive: fc1, fc2, ..., fc12."""
    found: dict[tuple[str, ...], set[int]] = {}
    for key in keys:
        for where, digits, _ in key:
            found.setdefault(where, set()).add(int(digits) if 0 < len(digits) < 10 else -2)
    return {where for where, numbers in found.items() if max(numbers) - min(numbers) == len(numbers) - 1}


def _is_before(one: _Key, other: _Key, series: set[tuple[str, ...]]) -> bool:
    """Whether the first difference is a smaller number; fc2 is before fc10 only if fc3 to fc9 exist as well."""
    for (where, digits, is_glued), (other_where, other_digits, _) in zip(one, other, strict=False):
        if where != other_where:
            return False
        if digits != other_digits:
            is_less = _value(digits) < _value(other_digits)
            return is_less and bool(digits) and (not is_glued or digits < other_digits or where in series)
    return False


def _value(digits: str) -> tuple[int, str]:
    """A sort key for a number that may have more digits than Python reads."""
    digits = digits.lstrip("0")
    return len(digits), digits


def _beside(places: Sequence[Place], modules: Sequence[str], domains: list[int] | None) -> list[int] | None:
    """The layers left for each module if every norm is next to its layer; None if a module is not such a norm."""
    rows = [index for index, place in enumerate(places) if "slopes" not in place.arrays]
    near = [0] * len(places)
    for one, other in pairwise(rows):
        if places[one].runs_before(places[other]):
            near[one] |= 1 << other
            near[other] |= 1 << one
    placed = {
        module: domain.bit_length() - 1
        for module, domain in zip(modules, domains or (), strict=False)
        if _is_one(domain)
    }
    narrowed = []
    for module, domain in zip(modules, domains or (), strict=False):
        owners = [placed[name] for name in _owners(module) if name in placed]
        if module not in placed and len(owners) != 1:
            return None
        narrowed.append(domain if module in placed else domain & near[owners[0]])
    return narrowed


def _owners(module: str) -> set[str]:
    """Possible names of the layer that this norm belongs to: conv1 for bn1, stem for stem_bn."""
    owners = set()
    if match := re.fullmatch(r"(.*?)" + _NORM + r"(_?[0-9]*)", module, re.IGNORECASE | re.DOTALL):
        owners |= {f"{match[1]}{word}{match[2]}" for word in ("conv", "conv2d", "Conv", "Conv2d")}
    if match := re.fullmatch(r"(.+?)[._/]" + _NORM, module, re.IGNORECASE | re.DOTALL):
        owners.add(match[1])
    return owners


def _shortcuts(places: Sequence[Place], modules: Sequence[str], domains: list[int]) -> list[int]:
    """The layers left for each module if one named as a shortcut must be in the shorter branch of a sum."""
    sizes: dict[int, dict[int, int]] = {}
    for place in places:
        for fork, branch in place.forks.items():
            sizes.setdefault(fork, {}).setdefault(branch, 0)
            sizes[fork][branch] += 1
    short = _bits(
        index
        for index, place in enumerate(places)
        if any(sizes[fork][branch] < max(sizes[fork].values()) for fork, branch in place.forks.items())
    )
    named = [not _SHORTCUT.isdisjoint(re.split(r"[./_]", module)) for module in modules]
    return [domain & short if name and short else domain for name, domain in zip(named, domains, strict=True)]


def _solutions(domains: Sequence[int], links: _Links) -> list[list[int]]:
    """Up to two ways to give each module its own layer; also two if too many had to be tried."""
    found: list[list[int]] = []
    stack: list[tuple[list[int], Sequence[int]]] = [(list(domains), range(len(domains)))]
    tries = 20 * len(domains)
    while stack and len(found) < 2:
        tries -= 1
        if tries < 0:
            return [list(domains)] * 2
        state = _settle(*stack.pop(), links)
        if state is None:
            continue
        several = [index for index, domain in enumerate(state) if not _is_one(domain)]
        if not several:
            found.append(state)
            continue
        index = min(several, key=lambda index: state[index].bit_count())
        layers = [layer for layer in range(len(domains)) if state[index] >> layer & 1]
        stack += [([*state[:index], 1 << layer, *state[index + 1 :]], [index]) for layer in layers]
    return found


def _settle(domains: Sequence[int], changed: Iterable[int], links: _Links) -> list[int] | None:
    """The domains after all deductions; None if a module or layer is left with nothing."""
    state = list(domains)
    queue = dict.fromkeys(changed)
    while all(state):
        if not queue:
            once = twice = 0
            for domain in state:
                once, twice = once | domain, twice | (once & domain)
            alone = [(index, domain & ~twice) for index, domain in enumerate(state) if domain & ~twice]
            if once.bit_count() < len(state) or not all(_is_one(mine) for _, mine in alone):
                return None
            queue = dict.fromkeys(index for index, mine in alone if state[index] != mine)
            for index, mine in alone:
                state[index] = mine
            if not queue:
                return state
        index = next(iter(queue))
        del queue[index]
        narrowed = [(affected, _union(masks, state[index])) for affected, masks in links[index] if affected]
        if _is_one(state[index]):
            narrowed.append((list(range(len(state))), ~state[index]))
        for affected, mask in narrowed:
            for other in affected:
                if other != index and state[other] & ~mask:
                    state[other] &= mask
                    queue[other] = None
    return None


def _union(masks: Sequence[int], domain: int) -> int:
    union = 0
    while domain:
        union |= masks[(domain & -domain).bit_length() - 1]
        domain &= domain - 1
    return union


def _is_one(domain: int) -> bool:
    return domain.bit_count() == 1


def _bits(indices: Iterable[int]) -> int:
    return sum(1 << index for index in indices)
