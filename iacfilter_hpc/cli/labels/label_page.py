"""Page of iacfilter-label: one finding with its lines on a plain terminal, and one key an answer.

Nothing but ANSI's clear and bold is used, and neither where TERM is dumb. Whatever a script holds
is shown as printable characters: it must not move the cursor, nor hide a line.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.samples.smells import BY_NAME, title_of
from iacfilter_hpc.verdicts.labelling import Labelling
from iacfilter_hpc.verdicts.questions import Question
from iacfilter_hpc.verdicts.verdict import Decision

AROUND = 8
"""Lines shown before and after the cited one."""
NARROWEST = 40
MOST_SAID = 1000
EVERY = 10
"""Labels after which a person is told what they have changed."""


class Key(StrEnum):
    """Key that a person presses."""

    REAL = "t"
    FALSE = "f"
    UNSURE = "u"
    SKIP = "s"
    BACK = "b"
    NOTE = "n"
    QUIT = "q"


ANSWERS = {Key.REAL: Decision.TP, Key.FALSE: Decision.FP, Key.UNSURE: Decision.UNSURE}
KEYS = "t real  f false alarm  u unsure  s skip  b back  n note  q quit"
CLOSED = "\x04"
"""Ctrl-D, which ends input."""
ESCAPE = b"\x1b"
RUBOUT = (b"\x7f", b"\b")
SEQUENCE = 0.02
"""Seconds in which the rest of a key that sends several bytes follows."""


def ask(labelling: Labelling, told: Callable[[Labelling], str], *, blind: bool) -> None:
    """Ask until every question has an answer, or the person quits; `told` comes after every ten."""
    with _keys_at_once():
        _ask(labelling, told, blind=blind)


def _ask(labelling: Labelling, told: Callable[[Labelling], str], *, blind: bool) -> None:
    while (question := labelling.current) is not None:
        key, note = _answer(labelling, question, blind=blind)
        if key == Key.QUIT:
            return
        if key == Key.SKIP:
            labelling.skip()
        elif key == Key.BACK:
            labelling.back()
        else:
            labelling.answer(ANSWERS[key], note)
            if labelling.given % EVERY == 0:
                terminal.say(f"\n{told(labelling)}\n\nany key goes on")
                _read_key()


def _answer(labelling: Labelling, question: Question, *, blind: bool) -> tuple[Key, str | None]:
    """The key that ends a page, and the note written before it."""
    note: str | None = None
    while True:
        terminal.say(_cleared(page(labelling, question, note, blind=blind)))
        key = _read_key()
        if key == Key.NOTE:
            note = _read_note()
        elif key == CLOSED:
            return Key.QUIT, None
        elif key in set(Key):
            return Key(key), note


def page(labelling: Labelling, question: Question, note: str | None, *, blind: bool) -> str:
    """The page of a question."""
    width = max(NARROWEST, shutil.get_terminal_size().columns)
    place = question.place
    smell = BY_NAME.get(place.smell)
    lines = [
        f"{labelling.number} of {len(labelling.questions)}: {place.file}:{place.line}",
        "",
        *_script(labelling, question, width),
        "",
        f"{title_of(place.smell)} ({question.code})",
    ]
    if smell is not None:
        lines += [smell.meaning, f"real where {smell.tp}", f"a false alarm where {smell.fp}"]
    lines.append(_cut(f"GLITCH says: {question.said or '-'}", MOST_SAID))
    if question.p_tp is not None and not blind:
        lines.append(f"the model's p(TP): {question.p_tp:.3f}")
    if before := labelling.verdicts.get(place):
        lines.append(f"answered: {before.decision} by {before.by}")
    if note:
        lines.append(f"note: {note}")
    # the script's lines are cut, the words on it are wrapped by the terminal
    return "\n".join([*map(printable, lines), "", KEYS])


def printable(text: str) -> str:
    """A line as a terminal can take it, whatever is in it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _script(labelling: Labelling, question: Question, width: int) -> list[str]:
    """The cited line between its neighbours, marked."""
    every, cited = labelling.outline(question).lines, question.place.line
    first, last = max(1, cited - AROUND), min(len(every), cited + AROUND)
    shown = []
    for number in range(first, last + 1):
        mark = ">" if number == cited else " "
        # cut before anything else: a line may have megabytes
        line = printable(every[number - 1][:width].expandtabs(4))
        shown.append(_cut(f"{mark} {number:>{len(str(last))}}  {line}", width))
    return shown


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."


def _cleared(text: str) -> str:
    if os.environ.get("TERM", "dumb") == "dumb":
        return f"\n{text}"
    if os.environ.get("NO_COLOR"):
        return f"\x1b[2J\x1b[H{text}"
    lines = (
        f"\x1b[1m{line}\x1b[0m" if line.startswith("> ") else line for line in text.split("\n")
    )
    return "\x1b[2J\x1b[H" + "\n".join(lines)


@contextmanager
def _keys_at_once() -> Iterator[None]:
    """The terminal without lines and echo: a key is read when it is pressed; Ctrl-C interrupts."""
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    try:
        # not TCSAFLUSH, which would lose what a person has typed ahead
        tty.setcbreak(handle, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _read_key() -> str:
    """One key; "" for one that is no letter, such as an arrow."""
    byte = _read_byte()
    if byte != ESCAPE:
        return byte.decode("ascii", "replace")
    # the End key is Escape, [ and F: what follows is no answer
    while select.select([sys.stdin], [], [], SEQUENCE)[0] and _read_byte():
        pass
    return ""


def _read_byte() -> bytes:
    """A byte of the terminal; that of Ctrl-D also where the terminal has gone."""
    return os.read(sys.stdin.fileno(), 1) or CLOSED.encode()


def _read_note() -> str | None:
    """A line of text, ended with Enter."""
    typed = b""
    while (byte := _read_byte()) not in (b"\n", b"\r", CLOSED.encode()):
        typed = _text(typed)[:-1].encode() if byte in RUBOUT else typed + byte
        # the blank takes away a character that was rubbed out
        print(f"\rnote: {printable(_text(typed))} \b", end="", file=sys.stderr, flush=True)
    return _text(typed).strip() or None


def _text(typed: bytes) -> str:
    """What is whole of it: a letter may come in several bytes."""
    return typed.decode("utf-8", "ignore")
