"""Clusters of numbers below a width, joined a mask at a time."""

from __future__ import annotations

from iacfilter_hpc.samples.near.forest import Forest
from iacfilter_hpc.samples.near.masks import lowest, mask_of


class Clusters:
    """Clusters; at first each number is one of its own."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._forest = Forest(width)
        self._members: dict[int, list[int]] = {}
        self._masks: dict[int, int] = {}

    def join(self, number: int, others: int) -> None:
        """Join a number with all numbers of a mask."""
        left = others & ~self._mask(number)
        # a step for each cluster that is new, however many of its members the mask has
        while left:
            other = lowest(left)
            left &= ~self._mask(other)
            self._merge(number, other)

    def found(self) -> list[list[int]]:
        """Clusters of two or more, each in order, by their first members."""
        return sorted(sorted(members) for members in self._members.values())

    def _members_of(self, root: int) -> list[int]:
        return self._members.get(root) or [root]

    def _mask(self, number: int) -> int:
        root = self._forest.find(number)
        mask = self._masks.get(root)
        return mask_of(self._members_of(root), self.width) if mask is None else mask

    def _merge(self, number: int, other: int) -> None:
        large, small = self._forest.find(number), self._forest.find(other)
        if len(self._members_of(large)) < len(self._members_of(small)):
            large, small = small, large
        if large in self._masks:
            self._masks[large] |= self._mask(small)
        members = self._members_of(large)
        members += self._members_of(small)
        self._forest.join(large, small)
        self._members.pop(small, None)
        self._masks.pop(small, None)
        self._members[large] = members
        # as in Masks: a mask must not take more than a list of the members
        if large not in self._masks and 64 * len(members) >= self.width:
            self._masks[large] = mask_of(members, self.width)
