"""Labelling functions: the table of them, one entry each. To add one is to add an entry.

Each votes TP or FP on the samples that it holds for, and abstains on all others. None of them is
right by itself: the label model and the calibration weigh their votes. A change to what one votes
on needs a new VERSION, since a calibration has weighed the votes as they were.
Source: Ratner et al., Data Programming: Creating Large Training Sets, Quickly, 2016.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from iacfilter_hpc.samples.sample import Label, Sample
from iacfilter_hpc.samples.smells import smell_of_words

VERSION = 1
"""Of what the functions of this table vote on; a calibration of another one is refused."""
READ = 2000
"""Characters of a line that are read: a minified file's line must not keep a pattern busy."""

SECRET = ("hard_coded_secret",)
COMMENT = ("suspicious_comment",)
HTTP = ("use_of_http",)
CRYPTO = ("weak_cryptography_algorithms",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabellingFunction:
    """A function: its vote, the smells that it votes on (none named: all), and when it holds.

    It holds where each of its patterns is found, whatever the case, in the reported line
    (`content`) and the path (`file`), and where `holds` says so.
    """

    name: str
    about: str
    vote: Label
    smells: tuple[str, ...] = ()
    content: str | None = None
    file: str | None = None
    holds: Callable[[Sample], bool] | None = None

    def vote_on(self, sample: Sample) -> Label | None:
        """Its vote, None where it abstains."""
        return self.vote if self._is_of(sample) and self._holds(sample) else None

    def _is_of(self, sample: Sample) -> bool:
        return not self.smells or smell_name(sample) in self.smells

    def _holds(self, sample: Sample) -> bool:
        return (
            _found(self.content, sample.content)
            and _found(self.file, sample.file)
            and (self.holds is None or self.holds(sample))
        )


def smell_name(sample: Sample) -> str:
    """A sample's smell by our own name, where it is one of ours."""
    return smell_of_words(sample.smell) or sample.smell


def votes_of(functions: Iterable[LabellingFunction], sample: Sample) -> dict[str, Label]:
    """Votes on a sample, by the names of the functions that do not abstain."""
    found = ((function.name, function.vote_on(sample)) for function in functions)
    return {name: vote for name, vote in found if vote is not None}


def _found(pattern: str | None, text: str) -> bool:
    return pattern is None or _compiled(pattern).search(text[:READ]) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_ASSIGNMENT = re.compile(
    # a colon inside a name is one of Ruby's symbols or of Puppet's scopes
    r"^[-\s]*(?P<key>[^=:\s](?:[^=:]|:(?=\S)){0,120}?)\s*(?:=>|=|:(?=\s|$))\s*(?P<value>.*)$"
)
_CALL = re.compile(r"^\s*(?P<key>[\w.]+)\s+(?P<value>['\"].*|[\w:.]+\(.*|\w+\[.*)$")
_QUOTED = re.compile(r"^(['\"])(.*?)\1")
ENTROPY = 3.0
"""Bits a character from which a literal looks drawn at random: words have 2 to 3."""


def key_of(sample: Sample) -> str:
    """The name that the reported line gives a value, in lower case; empty where there is none."""
    return _parts(sample.content)[0].lower()


def value_of(sample: Sample) -> str:
    """The value on the reported line as it stands there, with its quotes."""
    return _parts(sample.content)[1]


def literal_of(sample: Sample) -> str | None:
    """The literal on the reported line, without quotes; None where the value is an expression."""
    value = value_of(sample)
    if quoted := _QUOTED.match(value):
        value = quoted[2]
    elif re.match(r"[$@:\[{|>&*!(]|[\w.:]+[\[(]", value):
        return None
    return None if re.search(r"\{\{|#\{|\$\{|<%|\$\w", value) else value.strip()


def _parts(content: str) -> tuple[str, str]:
    line = content[:READ].strip()
    found = _CALL.match(line) or _ASSIGNMENT.match(line)
    if found is None:
        return "", line
    return found["key"].strip(), found["value"].strip().rstrip(",;").strip()


def entropy(text: str) -> float:
    """Shannon's entropy of the characters, in bits."""
    counts, length = Counter(text).values(), len(text)
    return -sum(n / length * math.log2(n / length) for n in counts)


def _is_random(sample: Sample) -> bool:
    literal = literal_of(sample) or ""
    return (
        len(literal) >= 8
        and re.fullmatch(r"[\w+/=!@#%^&*.-]+", literal) is not None
        and re.search(r"\d", literal) is not None
        and re.search(r"[A-Za-z]", literal) is not None
        and not literal.startswith(("/", "http"))
        and entropy(literal) >= ENTROPY
    )


_CREDENTIAL = re.compile(r"pass(wd|word|phrase)?\b|pwd|secret|token|api_?key|credential", re.I)
_USER = re.compile(r"(^|[_.\s'\"\[])(user|username|login|owner|account)(_?name)?['\"\]]*$", re.I)


def _is_credential(sample: Sample) -> bool:
    literal = literal_of(sample)
    return (
        bool(literal)
        and _CREDENTIAL.search(key_of(sample)) is not None
        and re.search(r"[\s/]", literal or "") is None
        and not _is_switch(sample)
    )


def _is_user(sample: Sample) -> bool:
    literal = literal_of(sample) or ""
    return (
        _USER.search(key_of(sample)) is not None and re.fullmatch(r"[\w.-]+", literal) is not None
    )


def _is_switch(sample: Sample) -> bool:
    return (
        re.fullmatch(
            r"(yes|no|true|false|on|off|nil|null|none|undef|always|on_create|absent|present|[\d.]+)",
            (literal_of(sample) or "").lower(),
        )
        is not None
    )


def _is_empty(sample: Sample) -> bool:
    return bool(key_of(sample)) and value_of(sample) in (
        "",
        "''",
        '""',
        "~",
        "null",
        "nil",
        "undef",
    )


def _is_path(sample: Sample) -> bool:
    literal = literal_of(sample) or ""
    return (
        re.match(r"(~|\.{0,2}/|[A-Za-z]:\\)", literal) is not None
        or re.search(
            r"\.(pem|key|crt|cer|jks|p12|pub|yml|yaml|conf|cfg|ini|json|txt|gpg|asc)$", literal
        )
        is not None
    )


def _is_prose(sample: Sample) -> bool:
    literal = literal_of(sample) or ""
    return key_of(sample) in ("name", "msg", "description", "desc", "message", "comment") or (
        len(literal.split()) >= 4
    )


def _is_reference(sample: Sample) -> bool:
    return bool(key_of(sample)) and literal_of(sample) is None


_MARKER = r"\b(todo|fixme|xxx|hack|kludge)\b"
_DEFECT = (
    r"work-?\s?around|temporar(y|ily)|\bbroken\b|does(n't| not) work|\bugly\b|\binsecure\b|"
    r"should (probably )?be (removed|fixed|moved|changed|replaced)|needs? to be|\bfor now\b|"
    r"not (yet )?(supported|implemented)|\bbug(s|gy)? (in|with|#|\d)|until .{0,60}fixed|"
    r"remove (this|once|when|after)|once .{0,60}(fixed|released|merged)"
)
_WORD = (
    r"\b(debug\w*|issues?|later|tickets?|problems?|solv\w+|fix(ed|es|ing)?|incorrect\w*|bugs?)\b"
)


def _is_plain_comment(sample: Sample) -> bool:
    return not _found(f"{_MARKER}|{_DEFECT}", sample.content)


FUNCTIONS = (
    LabellingFunction(
        name="placeholder",
        about="The value is one that a user is meant to replace: changeme, <password>, xxx.",
        vote="FP",
        smells=SECRET,
        content=r"change_?-?(me|it|this)|place_?holder|your[-_ ]?\w|x{4,}|\*{3,}|<\w[\w -]*>|dummy|"
        r"\bfake|notareal|redacted|replace_?me|insert_?\w*here|\bsample\b|example",
    ),
    LabellingFunction(
        name="variable_reference",
        about="The value is a variable, a look-up or a call, so it is kept elsewhere.",
        vote="FP",
        smells=SECRET,
        holds=_is_reference,
    ),
    LabellingFunction(
        name="template_expression",
        about="The value is filled in from a template or by interpolation.",
        vote="FP",
        smells=SECRET,
        content=r"\{\{.*\}\}|#\{|\$\{|<%",
    ),
    LabellingFunction(
        name="random_literal",
        about="The value is a literal of letters and digits whose entropy looks random.",
        vote="TP",
        smells=SECRET,
        holds=_is_random,
    ),
    LabellingFunction(
        name="credential_literal",
        about="A password, secret or token is given a literal without spaces or slashes.",
        vote="TP",
        smells=SECRET,
        holds=_is_credential,
    ),
    LabellingFunction(
        name="user_literal",
        about="A user, login or account is given a name as a literal.",
        vote="TP",
        smells=SECRET,
        holds=_is_user,
    ),
    LabellingFunction(
        name="url_with_password",
        about="A URL carries user and password as literals.",
        vote="TP",
        content=r"://[\w.-]+:[^@/\s{$#]+@",
    ),
    LabellingFunction(
        name="empty_value",
        about="The value is empty or null.",
        vote="FP",
        smells=SECRET,
        holds=_is_empty,
    ),
    LabellingFunction(
        name="switch_value",
        about="The value is yes, no, a number or a word of the module's own, such as on_create.",
        vote="FP",
        smells=SECRET,
        holds=_is_switch,
    ),
    LabellingFunction(
        name="path_value",
        about="The value is a path, so the secret is in that file.",
        vote="FP",
        smells=SECRET,
        holds=_is_path,
    ),
    LabellingFunction(
        name="url_value",
        about="The value is a URL without a password in it.",
        vote="FP",
        smells=SECRET,
        content=r"[:=\s]['\"]?(https?|ftp|git|ldaps?)://(?![^/\s]*:[^/\s]*@)",
    ),
    LabellingFunction(
        name="checksum_or_cache_key",
        about="The key names a checksum, a fingerprint, a public or a cache key.",
        vote="FP",
        smells=SECRET,
        content=r"check_?sum|\bsha(1|2|256|512)|\bmd5|digest|fingerprint|cache|key_?server|apt[-_]?key|"
        r"gpg|key_?id\b|public_?key|pub_?key|authorized_key|ssh-(rsa|ed25519)",
    ),
    LabellingFunction(
        name="about_a_secret",
        about="The key names a property of a secret: its file, length, policy, user field.",
        vote="FP",
        smells=SECRET,
        content=r"(pass\w*|secret|token|key|user|pwd|cert)_?(file|path|dir|name|url|host|port|len\w*|"
        r"type|policy|algorithm|prompt|template|group|hash|attribute|field|size|expir\w*|ttl)\b",
    ),
    LabellingFunction(
        name="keyword_in_prose",
        about="The keyword stands in a task's name, a message or a sentence.",
        vote="FP",
        smells=SECRET,
        holds=_is_prose,
    ),
    LabellingFunction(
        name="test_fixture",
        about="The file lies among tests, examples or fixtures.",
        vote="FP",
        file=r"(^|[/_.-])(tests?|specs?|fixtures?|molecule|kitchen|examples?|vagrant|mocks?)([/_.-]|$)",
    ),
    LabellingFunction(
        name="marker_word",
        about="The comment has a word by which programmers mark open work: TODO, FIXME, HACK.",
        vote="TP",
        smells=COMMENT,
        content=_MARKER,
    ),
    LabellingFunction(
        name="admitted_defect",
        about="The comment admits a workaround, something temporary, broken or not done.",
        vote="TP",
        smells=COMMENT,
        content=_DEFECT,
    ),
    LabellingFunction(
        name="issue_link",
        about="The comment refers to an entry of an issue tracker.",
        vote="TP",
        smells=COMMENT,
        content=r"/(issues|bugs?|pull|browse|show_bug\.cgi\S*)/?\S*\d|\b[A-Z]{2,9}-\d{2,}|\bbug\s*#?\d",
    ),
    LabellingFunction(
        name="word_in_prose",
        about="A word such as debug, issue or later, in a comment that admits nothing.",
        vote="FP",
        smells=COMMENT,
        content=_WORD,
        holds=_is_plain_comment,
    ),
    LabellingFunction(
        name="documentation_comment",
        about="The comment documents a parameter, an example, a version or a licence.",
        vote="FP",
        smells=COMMENT,
        content=r"@(param|example|summary|note|see)|^\W*\[\*|===|copyright|licen[sc]e|warrant|"
        r"(or|and) later\b|later versions?|debug (mode|level|output|log)",
    ),
    LabellingFunction(
        name="local_url",
        about="The address is this machine's, or one of a private network.",
        vote="FP",
        smells=HTTP,
        content=r"http://(localhost|127\.|0\.0\.0\.0|\[::1?\]|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|"
        r"169\.254\.|[\w-]+(:\d+)?(/|['\"\s]|$)|[\w.-]+\.(local|internal|lan|svc)\b)",
    ),
    LabellingFunction(
        name="url_in_comment",
        about="The address stands in a comment.",
        vote="FP",
        smells=HTTP,
        content=r"^\s*(#|//)",
    ),
    LabellingFunction(
        name="namespace",
        about="The address is an identifier, of an XML namespace or a schema, and is not fetched.",
        vote="FP",
        smells=HTTP,
        content=r"xmlns|\bschemas?\b|dtd|http://(www\.w3\.org|schemas\.|xmlns\.|purl\.)|licen[sc]e",
    ),
    LabellingFunction(
        name="example_host",
        about="The address is of a host that documentation uses.",
        vote="FP",
        smells=HTTP,
        content=r"http://([\w-]+\.)*(example\.(com|org|net)|your\w*|domain\.\w+|host(name)?\b)",
    ),
    LabellingFunction(
        name="templated_host",
        about="The host of the address is filled in elsewhere, often with one of one's own.",
        vote="FP",
        smells=HTTP,
        content=r"http://['\"]?\s*(\{\{|\$|#\{|<|\+|%)",
    ),
    LabellingFunction(
        name="protocol_word",
        about="There is no address on the line, only a word such as http.",
        vote="FP",
        smells=HTTP,
        content=r"^(?!.*http://)",
    ),
    LabellingFunction(
        name="downloaded_file",
        about="A file with a suffix of software, archives or keys is at the address.",
        vote="TP",
        smells=HTTP,
        content=r"http://\S+\.(tar|t?gz|bz2|xz|zip|deb|rpm|jar|war|sh|pkg|exe|msi|dmg|iso|img|gpg|key|asc)",
    ),
    LabellingFunction(
        name="package_source",
        about="Packages or keys come from the address: a mirror, a repository, a key server.",
        vote="TP",
        smells=HTTP,
        content=r"(base_?url|mirror|repo\w*|\bdeb\b|source|\buri\b|download|key\w*)\b.*http://",
    ),
    LabellingFunction(
        name="public_address",
        about="The address has a public host, by its name as a literal.",
        vote="TP",
        smells=HTTP,
        content=r"http://(?!www\.w3\.org)([\w-]+\.)+(com|org|net|io|edu|gov|de|cn|co|info|biz|me|us|eu)\b",
    ),
    LabellingFunction(
        name="algorithm_in_a_name",
        about="The algorithm is part of a file's or a package's name, or of a checksum.",
        vote="FP",
        smells=CRYPTO,
        content=r"\.(md5|sha1)\b|(md5|sha1)(sum|_?checksum|deep)|check_?sum|/\S*(md5|sha1)|digest-",
    ),
    LabellingFunction(
        name="hashed_password",
        about="A password, a signature or a login is protected by the algorithm.",
        vote="TP",
        smells=CRYPTO,
        content=r"(md5|sha1|des|rc4)\w*\s*[('\"].*(pass|user|secret)|(pass|auth|method|cipher|encrypt|"
        r"sign)\w*['\"\]]*\s*(=>|=|:|\s)\s*.*(md5|sha1|rc4|\bdes\b)|Digest::(MD5|SHA1)",
    ),
)
"""Every labelling function of this package."""
