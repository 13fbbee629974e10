"""Blocks of a script: which lines belong together, told by their indentation.

A block is what a person reads to decide about a line: an Ansible task, a step of a workflow, a
resource of Chef, Puppet or Terraform, each with the comments right above it. What holds such things
(a play, a job, a class, an `if`) is a container: its children are blocks of their own, so a change
to one task touches no other; the lines that lead to a block (`- hosts: all`, `if $debug {`) are its
path, and belong to what it means. Every line is in one block at most: a blank one, and the mark of
a YAML document, is in none.

No parser is used: a script need not be whole, and five of them would have to agree with GLITCH's.
Where indentation does not tell the blocks of a file, or its kind has no row in the table, the whole
file is one block, which errs on the side of asking a person again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

LONGEST_HEAD = 400
"""Characters of a line that may begin a block; patterns would be slow on hostile ones."""
NEVER = re.compile(r"(?!)")
BRACKETS = "{(["
MARKS = ("---", "...")
"""Of a YAML document. In no block, for what is put below them is none of the next task's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """Syntax of a kind of script, as far as its blocks need it.

    `container` finds heads whose children are blocks of their own, `opener` lines that a deeper one
    or a closer must follow, `closer` lines that go on with what stands before them at their level,
    `heredoc` the word that ends a text. In YAML the children of a container tell it as well.
    """

    suffixes: tuple[str, ...]
    comment: tuple[str, ...]
    container: re.Pattern[str]
    opener: re.Pattern[str] = NEVER
    closer: re.Pattern[str] = NEVER
    heredoc: re.Pattern[str] = NEVER
    is_yaml: bool = False


SYNTAXES = (
    Syntax(
        suffixes=(".yml", ".yaml"),
        comment=("#",),
        container=re.compile(
            r"(?:-\s+)*(?:tasks|pre_tasks|post_tasks|handlers|roles|block|rescue|always|jobs|steps)"
            r"\s*:\s*(?:#.*)?$"
        ),
        closer=re.compile(r"[)\]}]"),
        is_yaml=True,
    ),
    Syntax(
        suffixes=(".rb",),
        comment=("#",),
        container=re.compile(
            r"(?:if|unless|case|when|else|elsif|begin|rescue|ensure|while|until|for|def|class|module"
            r"|action)\b|.*\bdo\s*\|[^|]*\|$"
        ),
        opener=re.compile(r".*(?:[{(\[]|\bdo(?:\s*\|[^|]*\|)?)$"),
        closer=re.compile(r"[)\]}]|(?:end|else|elsif|rescue|ensure|when)\b"),
        heredoc=re.compile(r"<<[-~]?[\"']?(\w+)"),
    ),
    Syntax(
        suffixes=(".pp",),
        comment=("#",),
        container=re.compile(
            r"[)}\]\s]*(?:(?:class|define|node|function|plan|application)\s+[^\s{]"
            r"|(?:if|elsif|else|unless|case)\b)|.*\|[^|]*\|\s*\{$|[\w'\"/$][^{]*:\s*\{$"
        ),
        opener=re.compile(r".*[{(\[:]$"),
        closer=re.compile(r"[)\]}]|(?:else|elsif)\b"),
        heredoc=re.compile(r"@\([\"']?(\w+)"),
    ),
    Syntax(
        suffixes=(".tf", ".hcl", ".tfvars"),
        comment=("#", "//"),
        container=NEVER,
        opener=re.compile(r".*[{(\[]$"),
        closer=re.compile(r"[)\]}]"),
        heredoc=re.compile(r"<<[-~]?(\w+)"),
    ),
)
ONE_BLOCK = (".json",)
"""Extensions of scripts whose files are one block each: brackets tell their parts, not lines."""
SYNTAX_OF = {suffix: syntax for syntax in SYNTAXES for suffix in syntax.suffixes}


@dataclass(frozen=True, slots=True)
class Block:
    """Block of a script: its lines that are not blank, as (index from 0, depth inside it).

    Blocks below the same lines have the same `path`.
    """

    lines: tuple[tuple[int, int], ...]
    path: str = ""


@dataclass(slots=True)
class _Node:
    """Line of code, with the lines that are indented below it."""

    index: int
    level: tuple[int, int]
    text: str
    depth: int
    children: list[_Node] = field(default_factory=list)


class _IndentationTellsNothing(Exception):
    """What closes does not stand below what opens."""


def blocks_of(lines: Sequence[str], suffix: str) -> list[Block]:
    """The blocks of a script, in the order of their first lines."""
    syntax = SYNTAX_OF.get(suffix.lower())
    try:
        return [_whole(lines)] if syntax is None else _blocks(lines, syntax)
    except _IndentationTellsNothing:
        return [_whole(lines)]


def _whole(lines: Sequence[str]) -> Block:
    return Block(tuple((index, 0) for index, line in enumerate(lines) if line.strip()))


def _blocks(lines: Sequence[str], syntax: Syntax) -> list[Block]:
    nodes, comments = _nodes(lines, syntax)
    places: dict[int, tuple[int, int]] = {}
    paths: dict[int, str] = {}
    for path, head, members in _grouped(_roots(nodes), syntax):
        paths[head.index] = path
        for node in members:
            # in YAML depth has a meaning; elsewhere a person may lay lines out anew
            places[node.index] = head.index, (node.depth - head.depth) * syntax.is_yaml
    _place_comments(comments, places)
    blocks: dict[int, list[tuple[int, int]]] = {}
    for index in sorted(places):
        head_index, depth = places[index]
        blocks.setdefault(head_index, []).append((index, depth))
    return [Block(tuple(found), paths.get(head, "")) for head, found in blocks.items()]


def _nodes(lines: Sequence[str], syntax: Syntax) -> tuple[list[_Node], list[list[int]]]:
    """Every line of code, and the indices of each paragraph of comments, however indented."""
    nodes: list[_Node] = []
    comments: list[list[int]] = []
    is_open = False
    ends: str | None = None
    for index, line in enumerate(lines):
        text = line.strip()
        if ends is not None:
            # below whatever began the text, wherever it stands
            nodes.append(_Node(index, (len(line) + LONGEST_HEAD, 0), text, 0))
            ends = None if text.lstrip("|- ") == ends else ends
        elif text.startswith(syntax.comment):
            if not (is_open and comments[-1][-1] == index - 1):
                comments.append([])
            comments[-1].append(index)
            # a comment without words ends a paragraph: a manual of pages above a class is no block
            is_open = bool(text.strip("#/ "))
        elif text and not (syntax.is_yaml and text in MARKS):
            nodes.append(_Node(index, _level(line, text, syntax), text, 0))
            ends = _heredoc(text, syntax)
    return nodes, comments


def _level(line: str, text: str, syntax: Syntax) -> tuple[int, int]:
    spread = line.expandtabs(8)
    # an item may stand right below its key, at the same indentation
    is_item = syntax.is_yaml and (text == "-" or text.startswith("- "))
    return len(spread) - len(spread.lstrip()), int(is_item)


def _heredoc(text: str, syntax: Syntax) -> str | None:
    found = syntax.heredoc.search(text)
    return found[1] if found else None


def _roots(nodes: Iterable[_Node]) -> list[_Node]:
    """Each line below the nearest one before it that is indented less."""
    roots: list[_Node] = []
    above: list[_Node] = []
    for node in nodes:
        while above and above[-1].level >= node.level:
            above.pop()
        (above[-1].children if above else roots).append(node)
        node.depth = len(above)
        above.append(node)
    return roots


def _grouped(roots: Sequence[_Node], syntax: Syntax) -> Iterator[tuple[str, _Node, list[_Node]]]:
    """The path and the head of each block, with all lines of code in it."""
    # no recursion: a hostile file may be indented ten thousand levels deep
    waiting: list[tuple[str, Sequence[_Node]]] = [("", roots)]
    while waiting:
        path, nodes = waiting.pop()
        for group in _siblings(nodes, syntax):
            _check(group, syntax)
            is_container = _is_container(group, syntax)
            yield path, group[0], group if is_container else list(_below(group))
            if is_container:
                # to what stands below an `else`, its `if` leads too
                below = accumulate((node.text for node in group), _longer, initial=path)
                next(below)
                waiting += zip(below, (node.children for node in group), strict=True)


def _longer(path: str, text: str) -> str:
    # a hash, since paths of a hostile file would fill memory
    return hashlib.sha256(f"{path}\0{text}".encode()).hexdigest()


def _siblings(nodes: Sequence[_Node], syntax: Syntax) -> list[list[_Node]]:
    """Nodes of one level, each with the closers that go on with it."""
    groups: list[list[_Node]] = []
    for node in nodes:
        if not syntax.closer.match(node.text):
            groups.append([node])
        elif groups:
            groups[-1].append(node)
        else:
            raise _IndentationTellsNothing
    return groups


def _check(group: Sequence[_Node], syntax: Syntax) -> None:
    """Raise if lines of this block seem to stand beside it, at its own indentation."""
    head, closers = group[0], group[1:]
    opens = len(head.text) <= LONGEST_HEAD and bool(syntax.opener.match(head.text))
    is_empty = not any(node.children for node in group)
    is_bracket = bool(closers) and closers[0].text[0] in "})]"
    # a closing bracket whose opening one is elsewhere: text of several lines stands in between
    lost = is_bracket and not any(bracket in head.text for bracket in BRACKETS)
    if lost or (is_empty and opens != bool(closers)):
        raise _IndentationTellsNothing


def _is_container(group: Sequence[_Node], syntax: Syntax) -> bool:
    heads = [*group, *(group[0].children if syntax.is_yaml else ())]
    texts = (node.text for node in heads if len(node.text) <= LONGEST_HEAD)
    return any(map(syntax.container.match, texts))


def _below(group: Sequence[_Node]) -> Iterator[_Node]:
    waiting = list(group)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


def _place_comments(comments: Sequence[Sequence[int]], places: dict[int, tuple[int, int]]) -> None:
    """Give each paragraph of comments to the block it stands in, right above, or right below."""
    code = sorted(places)
    at = 0
    for run in comments:
        while at < len(code) and code[at] < run[0]:
            at += 1
        before = places[code[at - 1]][0] if at else None
        after = places[code[at]][0] if at < len(code) else None
        if before is not None and before == after:
            head = before
        elif after is not None and code[at] == run[-1] + 1:
            head = after
        elif before is not None and code[at - 1] == run[0] - 1:
            head = before
        else:
            head = run[0]
        places.update((index, (head, 0)) for index in run)
