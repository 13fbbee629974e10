"""Forest: a union-find, by which n things tied together cost about n steps, not n squared."""

from __future__ import annotations


class Forest:
    """Things, by number, in groups that only grow together."""

    def __init__(self, count: int) -> None:
        self._root = list(range(count))

    def find(self, one: int) -> int:
        """The one of its group that stands for all of it."""
        root = self._root
        while root[one] != one:
            # halves the path for those who come after (Tarjan and van Leeuwen, JACM 1984)
            root[one] = root[root[one]]
            one = root[one]
        return one

    def join(self, one: int, other: int) -> None:
        """Make one group of both groups, which the first one's root stands for."""
        self._root[self.find(other)] = self.find(one)

    def groups(self) -> list[list[int]]:
        """All groups, each in order, by their first members."""
        found: dict[int, list[int]] = {}
        for one in range(len(self._root)):
            found.setdefault(self.find(one), []).append(one)
        return list(found.values())
