"""iacfilter-teach: labels from a large language model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import UsageError, counted

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.samples.sample import Sample
    from iacfilter_hpc.teaching.teach import Judged, Taught, TeachRequest

KEY_VARIABLE = "IACFILTER_TEACHER_KEY"
MANY_UNREAD = 0.1
"""The share of answers that cannot be read above which something seems to be wrong."""
LISTED = 20
"""Samples without a label that the text names; the JSON document has all."""
MOST_AT_ONCE, MOST_VOTES = 256, 99
SEVERAL_VOTES_TEMPERATURE = 0.7
EPILOG = f"""\
examples:
  iacfilter-teach samples.jsonl -o taught.jsonl --url http://node7:8000/v1 --model NAME
  iacfilter-teach samples.jsonl -o taught.jsonl --disputed disputed.jsonl --votes 5 \\
      --url http://node7:8000/v1 --model NAME
  iacfilter-teach samples.jsonl --print-prompt --prompt mine.j2

A label needs more than half of a sample's votes; the share of votes behind it is its `confidence`.
An answer counts if its first or last line is TP or FP alone, such as `Answer: TP`. Without enough
of these a sample has no label (null), and goes to the file of --disputed if there is one.

Every answer is kept as it came, beside OUT in a file that ends in .answers.jsonl, and is not asked
for again: the same command goes on where it was stopped, and more --votes ask for those that lack
alone. Costs are of all answers behind the labels. The key comes from ${KEY_VARIABLE}
or the variable of --key-env, and is written nowhere; no redirect is followed.
"""


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser(
        "iacfilter-teach", __doc__.partition(": ")[2].strip(), epilog=EPILOG, models_dir=False
    )
    parser.add_argument(
        "samples", type=Path, metavar="SAMPLES", help="JSON Lines, with labels or without"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="where labels are written")
    parser.add_argument(
        "--disputed",
        type=Path,
        metavar="FILE",
        help="where samples without a label are written instead, for people to judge",
    )
    _add_asking(parser)
    _add_limits(parser)
    return parser


def _add_asking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", metavar="URL", help="of the endpoint, up to /v1")
    parser.add_argument("--model", metavar="NAME", help="as the endpoint calls it")
    parser.add_argument(
        "--key-env",
        metavar="NAME",
        help=f"the variable that holds the endpoint's key (default: {KEY_VARIABLE}, if it is set)",
    )
    parser.add_argument(
        "--prompt", type=Path, metavar="FILE", help="a template of Jinja2 (default: the shipped)"
    )
    parser.add_argument(
        "--print-prompt", action="store_true", help="print that of the first sample, ask nothing"
    )
    parser.add_argument(
        "--votes",
        type=lambda text: _whole(text, 1, MOST_VOTES),
        default=1,
        metavar="N",
        help="answers for each sample (default: 1)",
    )
    parser.add_argument(
        "--min-agreement",
        type=lambda text: _number(text, 0.5, 1),
        default=0.5,
        metavar="SHARE",
        help="of all votes, behind a label: 0.5 to 1 (default: more than half)",
    )
    parser.add_argument(
        "--temperature",
        type=lambda text: _number(text, 0, 2),
        metavar="T",
        help="of sampling, a part of what is asked: for more votes keep it (default: 0 for "
        f"one vote, {SEVERAL_VOTES_TEMPERATURE} for several)",
    )
    parser.add_argument(
        "--max-tokens",
        type=lambda text: _whole(text, 1, 1_000_000),
        default=1024,
        metavar="N",
        help="of an answer, thoughts included; one that is cut there says nothing (default: 1024)",
    )
    parser.add_argument(
        "--body",
        type=_object,
        default={},
        metavar="JSON",
        help="more fields of a request; null takes one away: "
        '\'{"max_tokens": null, "max_completion_tokens": 64}\'',
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--parallel",
        type=lambda text: _whole(text, 1, MOST_AT_ONCE),
        default=4,
        metavar="N",
        help="requests at once (default: 4)",
    )
    parser.add_argument(
        "--timeout",
        type=lambda text: _number(text, 0.1, 86_400),
        default=300.0,
        metavar="SECONDS",
        help="of a request (default: 300)",
    )
    for name, what in (("in", "prompts"), ("out", "answers")):
        parser.add_argument(
            f"--price-{name}",
            type=lambda text: _number(text, 0, 1e9),
            metavar="P",
            help=f"of a million tokens of {what}, in any currency",
        )
    parser.add_argument(
        "--max-cost",
        type=lambda text: _number(text, 1e-9, 1e12),
        metavar="C",
        help="stop before the labels cost more; needs both prices",
    )
    parser.add_argument(
        "--max-requests",
        type=lambda text: _whole(text, 1, 10**12),
        metavar="N",
        help="stop after so many requests of this call, those that fail included",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    parser = arguments()
    args = parser.parse_args(argv)
    wanted = {"-o": args.output, "--url": args.url, "--model": args.model}
    lacking = [name for name, value in wanted.items() if value is None]
    if lacking and not args.print_prompt:
        parser.error(f"the following arguments are required: {', '.join(lacking)}")
    if args.print_prompt:
        return terminal.run(lambda: _print_prompt(args.samples, args.prompt, as_json=args.json))
    return terminal.run(lambda: _teach(args))


def _teach(args: argparse.Namespace) -> int:
    from iacfilter_hpc.config.extras import TEACH, check_extras

    check_extras([TEACH])
    request = request_of(args)
    if request.endpoint.key is not None and request.endpoint.is_open:
        terminal.say(f"warning: the key goes to {request.endpoint.host} unencrypted")
    # only now: the client of HTTP takes a quarter of a second to import
    from iacfilter_hpc.teaching.teach import teach

    try:
        done = teach(request, terminal.say)
    except KeyboardInterrupt:
        terminal.say(f"what is answered is kept in {request.answers}: the same command goes on")
        raise
    for warning in warnings(done):
        terminal.say(f"warning: {warning}")
    if args.json:
        terminal.print_json(document(done))
    else:
        print(render(done))
    return 0


def request_of(args: argparse.Namespace) -> TeachRequest:
    """The request that the flags and the key's variable make.

    Raises:
        UsageError: flags that make no sense together, or a key that is not there.
    """
    from iacfilter_hpc.teaching.cost import Limits, Prices
    from iacfilter_hpc.teaching.endpoint import endpoint_of
    from iacfilter_hpc.teaching.teach import OURS, Asking, TeachRequest

    has_prices = args.price_in is not None and args.price_out is not None
    problems = []
    if args.max_cost is not None and not has_prices:
        problems.append("--max-cost needs --price-in and --price-out")
    if not has_prices and (args.price_in is not None or args.price_out is not None):
        problems.append("--price-in and --price-out go together")
    if args.votes > 1 and args.temperature == 0:
        problems.append(
            f"--votes {args.votes} at --temperature 0 pays several times for one answer"
        )
    if ours := sorted(set(OURS) & args.body.keys()):
        problems.append(f"--body: {', '.join(ours)} cannot be set")
    if problems:
        raise UsageError("\n".join(problems))
    usual = 0.0 if args.votes == 1 else SEVERAL_VOTES_TEMPERATURE
    return TeachRequest(
        samples=args.samples,
        output=args.output,
        disputed=args.disputed,
        endpoint=endpoint_of(args.url, _key(args.key_env), args.timeout),
        asking=Asking(
            model=args.model,
            votes=args.votes,
            temperature=usual if args.temperature is None else args.temperature,
            max_tokens=args.max_tokens,
            body=args.body,
        ),
        prompt=args.prompt,
        agreement=args.min_agreement,
        limits=Limits(
            prices=Prices(args.price_in, args.price_out) if has_prices else None,
            max_cost=args.max_cost,
            max_requests=args.max_requests,
        ),
        parallel=args.parallel,
    )


def _key(variable: str | None) -> str | None:
    # never OPENAI_API_KEY unasked: it would go to whatever address --url names
    key = os.environ.get(variable or KEY_VARIABLE) or None
    if key is None and variable is not None:
        raise UsageError(f"--key-env: the variable {variable} is not set")
    return key


def _print_prompt(samples: Path, prompt: Path | None, *, as_json: bool) -> int:
    from iacfilter_hpc.samples.sample import read_samples
    from iacfilter_hpc.teaching.prompt import read_prompt

    template = read_prompt(prompt)
    text = template.ask(read_samples(samples, unlabelled=True)[0])
    if as_json:
        terminal.print_json({"prompt": text, "sha256": template.sha256})
    else:
        print(text)
    return 0


def warnings(done: Taught) -> list[str]:
    """Warnings: what should be looked at before the labels are used."""
    found = []
    if done.asked.stop is not None:
        found.append(f"stopped at --{done.asked.stop}, before all was asked: the same goes on")
    unread = sum(each.votes.unreadable for each in done.judged)
    if unread > MANY_UNREAD * done.answers:
        read = f"{unread} of {counted(done.answers, 'answer')} cannot be read"
        found.append(f"{read}: see {done.request.answers}, the prompt and --max-tokens")
    if done.usage.uncounted:
        answers = counted(done.usage.uncounted, "answer")
        found.append(f"{answers} came without a count of tokens, which the figures leave out")
    return found


def document(done: Taught) -> dict[str, object]:
    """The JSON document of an answer."""
    from iacfilter_hpc.teaching.verdicts import NoLabel

    request, labels = done.request, done.labels
    return {
        "output": str(request.output),
        "disputed": None if request.disputed is None else str(request.disputed),
        "answers": str(request.answers),
        "samples": len(done.judged),
        "labels": {"TP": labels["TP"], "FP": labels["FP"]},
        "unlabelled": {reason.name.lower(): labels[reason] for reason in NoLabel},
        "without_label": [_row(n, each) for n, each in _without_label(done)],
        "mean_agreement": _mean_agreement(done),
        "earlier_labels": [
            {"given": given, "taught": taught, "samples": count}
            for (given, taught), count in sorted(done.earlier_labels.items())
        ],
        "url": request.endpoint.url,
        "model": request.asking.model,
        "prompt": {"path": str(done.prompt.path), "sha256": done.prompt.sha256},
        "votes": request.asking.votes,
        "temperature": request.asking.temperature,
        "kept_answers": done.answers,
        "new_answers": done.asked.answered,
        "requests": done.asked.requests,
        "refused": done.asked.refused,
        "stopped": done.asked.stop,
        "usage": asdict(done.usage),
        "cost": done.cost,
    }


def render(done: Taught) -> str:
    """The text of an answer, for people."""
    from iacfilter_hpc.teaching.verdicts import NoLabel

    request, labels = done.request, done.labels
    unlabelled = [f"{labels[reason]} {reason}" for reason in NoLabel if labels[reason]]
    count = sum(labels[reason] for reason in NoLabel)
    place = f", in {request.disputed}" if request.disputed else ""
    mean = _mean_agreement(done)
    asking = request.asking
    lines = [
        f"Wrote {counted(labels['TP'] + labels['FP'], 'label')} to {request.output}",
        f"  labels      {labels['TP']} TP, {labels['FP']} FP",
        f"  without     {count}{place}" + (f": {', '.join(unlabelled)}" if unlabelled else ""),
        f"  agreement   {'-' if mean is None else f'{mean:.3f} in the mean over labels'}",
        f"  teacher     {asking.model}, {counted(asking.votes, 'vote')} at temperature "
        f"{asking.temperature:g}, prompt {done.prompt.path.name} ({done.prompt.sha256[:12]})",
        f"  answers     {done.answers} in {request.answers}, {done.asked.answered} of them new "
        f"({counted(done.asked.requests, 'request')})",
        f"  tokens      {done.usage.prompt_tokens:,} of prompts, "
        f"{done.usage.completion_tokens:,} of answers{_cost(done.cost)}",
        *_earlier(done),
    ]
    if count:
        columns = ["sample", "file", "line", "TP", "FP", "unread", "no label because"]
        shown = [_cells(n, each) for n, each in _without_label(done)[:LISTED]]
        lines += ["", terminal.table(columns, shown, columns[2:-1])]
        lines += [f"... and {count - LISTED} more"] if count > LISTED else []
    return "\n".join(lines)


def _cost(cost: float | None) -> str:
    return "" if cost is None else f"; cost {cost:.4g}"


def _earlier(done: Taught) -> list[str]:
    """A line on the labels that samples came with: how far the teacher agrees with them."""
    found = done.earlier_labels
    if not (count := found.total()):
        return []
    same = found["TP", "TP"] + found["FP", "FP"]
    return [
        f"  agrees      with {same} of {count} labels that samples came with ({same / count:.3f}); "
        f"TP taught FP: {found['TP', 'FP']}, FP taught TP: {found['FP', 'TP']}"
    ]


def _mean_agreement(done: Taught) -> float | None:
    """Mean share of votes behind the labels; None for single votes, which agree with themselves."""
    shares = [each.votes.agreement for each in done.judged if each.outcome in ("TP", "FP")]
    return math.fsum(shares) / len(shares) if shares and done.request.asking.votes > 1 else None


def _without_label(done: Taught) -> list[tuple[int, Judged]]:
    numbered = enumerate(done.judged, start=1)
    return [(number, each) for number, each in numbered if each.outcome not in ("TP", "FP")]


def _row(number: int, judged: Judged) -> dict[str, object]:
    sample: Sample = judged.sample
    place = {"sample": number, "key": sample.key, "file": sample.file, "line": sample.line}
    return {**place, **asdict(judged.votes), "reason": judged.outcome}


def _cells(number: int, judged: Judged) -> list[str]:
    sample, votes = judged.sample, judged.votes
    counts = [str(each) for each in (sample.line, votes.tp, votes.fp, votes.unreadable)]
    return [str(number), terminal.plain(sample.file), *counts, str(judged.outcome)]


def _whole(text: str, least: int, most: int) -> int:
    # before int(), which takes 1_000, blanks and the digits of any script
    if text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # nan is in no range
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
    return value


def _object(text: str) -> dict[str, object]:
    from iacfilter_hpc.runs.record_schema import Unreadable, json_object

    try:
        return json_object(text.encode())
    except Unreadable as error:
        raise argparse.ArgumentTypeError(f"it is {error}") from error


if __name__ == "__main__":
    sys.exit(main())
