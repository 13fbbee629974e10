"""Literal credentials: what looks like a live password, token or key in a reported line.

A guess on the side of caution, for rows that are about to be removed: a literal value under a key
that speaks of a secret, however weak (`password: 123456`), a token of a known format, a string of
high entropy, a password in an address or in a command. References (`{{ var }}`, `$var`,
`node['x']`, a lookup, a vault), paths, switches and empty values are none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from iacfilter_hpc.filtering.safety.token_formats import token_in

LONGEST = 4_000
"""Characters of a line that are looked through; a longer one counts as a credential."""
BELOW = 60
"""Lines of a block or a heredoc that are looked through."""
ABOVE = 5
"""Lines above `default = ...` or `value: ...` that may name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A reported line with those above and below it, and what GLITCH quotes of it.

    `names_bare`: a word without quotes is a name (Chef, Terraform) and not a text (YAML, Puppet).
    `is_secret`: GLITCH reports a secret.
    """

    line: str
    above: Sequence[str] = ()
    below: Sequence[str] = ()
    detail: str = ""
    names_bare: bool = False
    is_secret: bool = False


def find_credential(excerpt: Excerpt) -> str | None:
    """What looks like a live credential, in a word or two; None if nothing does."""
    if len(excerpt.line) > LONGEST:
        return "a line too long to look through"
    below = [line[:LONGEST] for line in islice(_continuation(excerpt), BELOW)]
    # most often the line itself: what is in it need not be looked through twice
    detail = "" if excerpt.detail in excerpt.line else excerpt.detail[:LONGEST]
    found = (_in_line(line, excerpt) for line in (excerpt.line, detail, *below))
    return next(filter(None, chain(found, _beside(excerpt, below))), None)


# Words that speak of a secret wherever they stand in a key, and those that do at its end.
_ANYWHERE = (
    r"passwor[dt]|passwd|passphrase|passcode|secret|token|credential|contrasen|"
    r"api[_-]?key|apikey|(?:access|private|priv|secret|encrypt(?:ion)?|crypt|sign(?:ing)?|master|auth|"
    r"account|service|client|shared|storage|session|cookie|license|deploy|admin|root|app(?:lication)?|"
    r"db|database|rndc|tsig|hmac|aes|vault|gossip|consumer|webhook)[_-]?key|"
    r"erlang[_-]?cookie|connection[_-]?string|conn[_-]?str|community[_-]?string|snmp[_-]?community"
)
_AT_THE_END = (
    r"(?<![a-z])pass|(?<!by)(?<!com)pass|pwd|(?<=[a-z_.-])pw|(?<![a-z])pw|psk|creds?|authtoken|salt"
)
SECRET_WORD = re.compile(rf"(?P<word>{_ANYWHERE}|(?:{_AT_THE_END})(?![a-z]))", re.IGNORECASE)
# what makes a key speak about a secret, and hold none
_ABOUT = re.compile(
    r"(?:^|[_.-]|(?<=[a-z])(?=[A-Z]))(?:file(?:name)?s?|path|dir(?:ectory)?|folder|url|uri|endpoint|"
    r"host|port|length|len|size|min(?:imum)?|max(?:imum)?|age|days|expir\w*|ttl|lifetime|timeout|"
    r"policy|policies|type|kind|algorithm|encryption|enabled?|disabled?|required|prompt|count|"
    r"rotation|store|backend|provider|names?|ref|arn|field|column|format|hint|version|"
    r"authentication|change|reset|check|quality|history|complexity|reuse|strength)$",
    re.IGNORECASE,
)
_NO_SECRET_KEYS = re.compile(
    r"update_password|public_?key|(?:no|require[sd]?|generate|use|has|allow|disable|enable|need[s]?|"
    r"skip|random|expire|rotate|change|reset)_?(?:root_?)?(?:password|passwd|secret|token)s?",
    re.IGNORECASE,
)
_KEY_CHARACTER = re.compile(r"[\w.-]")
LONGEST_KEY = 80
# quotes and brackets that close a key, then what parts it from its value
_SEPARATOR = re.compile(
    r"""["'\])]{0,3}(?:\[["':]?[\w-]{1,60}["']?\]){0,4}\s{0,40}(?:(?P<sign>=>|:=|\?=|\+=|={1,3}|:(?!:))\s*|(?P<call>\()\s*(?=["'])|"""
    r"""(?P<space>\s)(?=["']))"""
)
# of Ruby the value may follow without a sign, where the key begins the line
_CALL = re.compile(r"\s{1,40}(?=[\w@%])")
# a command's switch takes its value behind a space, without quotes too
_FLAG = re.compile(r"[ =]\s{0,10}(?=[^\s-])")

_ADDRESS = re.compile(r"://[^/\s:@'\"]{0,100}:(?P<value>[^/\s@'\"]{1,200})@")
_QUERY = re.compile(
    r"[?&](?:access_?token|token|api_?key|key|secret|password|sig)=(?P<value>[^&\s'\"]{6,200})",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\b(?:basic|bearer)\s+(?P<value>(?:[^\s'\"]*\{\{[^}]{0,200}\}\}|[^\s'\"]){8,400})",
    re.IGNORECASE,
)
_WORD = r"(?P<value>'[^']*'|\"[^\"]*\"|[^\s'\"|;&]+)"
# one of these stands in every line that one of the patterns below fits: a look for all is cheap
_COMMAND = re.compile(
    r"mysql|mariadb|sshpass|smbclient|redis|ldap|rabbitmq|docker|podman|helm|\baz\b|skopeo|curl|wget|"
    r"\bhttp\b|requirepass|masterauth|identified|passwd",
    re.IGNORECASE,
)
_COMMANDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:mysql\w*|mariadb\S*|sshpass|smbclient)\b[^|;&]{{0,200}}?\s-p\s?{_WORD}",
        rf"\b(?:redis-cli)\b[^|;&]{{0,200}}?\s-a\s{{1,5}}{_WORD}",
        rf"\b(?:ldap(?:search|add|modify|delete|passwd)|rabbitmq\w*)\b[^|;&]{{0,200}}?\s-w\s{{1,5}}{_WORD}",
        rf"\b(?:docker|podman|helm|az|skopeo)\b[^|;&]{{0,200}}?\slogin\b[^|;&]{{0,200}}?\s-p\s{{1,5}}{_WORD}",
        r"\b(?:curl|wget|http)\b[^|;]{0,300}?\s(?:-u|--user)[ =]?\s{0,5}['\"]?[^\s:'\"]{1,80}:"
        r"(?P<value>[^\s'\"]+)",
        rf"\b(?:requirepass|masterauth)\s{{1,5}}{_WORD}",
        rf"\bidentified\s+by\s+(?:password\s+)?{_WORD}",
        rf"\bhtpasswd\s{{1,9}}-\w{{0,9}}b\w{{0,9}}\s{{1,9}}\S{{1,200}}\s{{1,9}}\S{{1,80}}\s{{1,9}}{_WORD}",
        rf"\bopenssl\s+passwd\s+(?:-\w+\s+)*{_WORD}",
        r"\becho\s+(?:-\w+\s+)*['\"]?[\w.$-]+:(?P<value>[^\s'\"|]+)['\"]?\s*\|\s*(?:sudo\s+)?chpasswd",
        r"\bchpasswd\s*<<<\s*['\"]?[\w.$-]+:(?P<value>[^\s'\"]+)",
        rf"\becho\s+(?:-\w+\s+)*{_WORD}\s*\|\s*(?:sudo\s+)?passwd\b",
        rf"\brabbitmqctl\s+(?:add_user|change_password)\s+\S+\s+{_WORD}",
    )
)


def _in_line(line: str, excerpt: Excerpt) -> str | None:
    """What one line holds by itself."""
    if kind := token_in(line):
        return kind
    is_comment = line.lstrip().startswith(("#", "//", "--", "/*"))
    for value, is_bare in chain(_assigned(line, excerpt.names_bare), _in_commands(line)):
        if is_comment and is_bare and " " in value:
            continue  # prose
        if is_literal(value, is_bare=is_bare, names_bare=excerpt.names_bare):
            return "a literal password, token or key"
    if any(map(_is_random, _strings(line, excerpt.is_secret))):
        return "a string of high entropy"
    return None


def _assigned(line: str, names_bare: bool) -> Iterator[tuple[str, bool]]:
    """Each value under a key that speaks of a secret, and whether it stands without quotes."""
    for key, end in _secret_keys(line):
        is_flag = key.startswith("-")
        is_call = names_bare and line.lstrip().startswith(key)
        found = (
            _SEPARATOR.match(line, end)
            or (_FLAG.match(line, end) if is_flag else None)
            or (_CALL.match(line, end) if is_call else None)
        )
        if found:
            # of YAML the rest of the line; of `name=x password=y` a word
            is_word = is_flag or line[end : end + 1] == "="
            yield _value(line[found.end() :], is_word=is_word)


def _secret_keys(line: str) -> Iterator[tuple[str, int]]:
    """Keys that speak of a secret, and where each ends."""
    done = 0
    for found in SECRET_WORD.finditer(line):
        if found.start() < done:
            continue
        start, end = found.span()
        while start > max(done, found.start() - LONGEST_KEY) and _is_of_key(line[start - 1]):
            start -= 1
        while end < min(len(line), found.end() + LONGEST_KEY) and _is_of_key(line[end]):
            end += 1
        key = line[start:end]
        done = end
        if not _ABOUT.search(key) and not _NO_SECRET_KEYS.fullmatch(key.strip("-.").split(".")[-1]):
            yield key, end


def _is_of_key(character: str) -> bool:
    return bool(_KEY_CHARACTER.match(character))


_QUOTED = re.compile(r"""(?P<quote>['"])(?P<value>(?:\\.|(?!(?P=quote)).)*)(?:(?P=quote)|$)""")


def _value(text: str, *, is_word: bool) -> tuple[str, bool]:
    """The value that a text begins with, and whether it stands without quotes."""
    text = re.sub(r"^(?:Sensitive(?:\.new)?\s?\(|\[|\()\s*", "", text.strip())
    if found := _QUOTED.match(text):
        rest = text[found.end() :]
        return (found["value"] + (rest if _FALLBACK.search(rest) else "")), False
    if _FALLBACK.search(text):
        return text, True
    bare = re.split(r"\s+#|\s*[,;}]\s*(?=$|[\w'\"#])", text, maxsplit=1)[0].strip()
    is_reference = bare.startswith(("{{", "$(", "${", "<%")) or _REFERENCE.match(bare)
    if is_word and bare and not is_reference:
        bare = re.split(r"[\s'\"|&]", bare, maxsplit=1)[0]
    return bare, True


# a value for when the reference has none: `x | default('y')`, `${X:-y}`, `x || 'y'`
_FALLBACK = re.compile(
    r"""default(?:_value)?['"]?\s*(?:\(|=>|=|:)\s*(?:value\s*=\s*)?['"](?P<a>[^'"]+)['"]"""
    r"""|\$\{\w+:?[-=](?P<b>[^}$]+)\}|(?:\|\||\bor\b|\?:|:)\s*['"](?P<c>[^'"]+)['"]\s*\}{0,2}\s*$"""
    r"""|\bfetch\(\s*['"][^'"]+['"]\s*,\s*['"](?P<d>[^'"]+)['"]"""
)
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\$\{\{?.*?\}\}?|#\{.*?\}|%\{.*?\}|<%.*?%>|\$\(.*?\)|`[^`]*`")
_REFERENCE = re.compile(
    r"(?:lookup|hiera\w*|vault\w*|node|env|var|local|data|module|secrets|search|data_bag\w*|"
    r"chef_vault\w*|each|self|random_\w+|aws_\w+|azurerm_\w+|google_\w+|query|file|templatefile|"
    r"fact|facts|params|inputs|steps|github|config|settings|attribute|input)(?:[.\[(:]).*"
    r"|\$\{?[a-z_:][\w:.]*(?:\[['\"\w.-]*\])*\}?",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?:~\w*|\.{1,2})?/[\w@%+.,*/ -]*|[A-Za-z]:[\\/].*|[\w.-]+(?:/[\w.-]+)+/?")
_FILE = re.compile(
    r"[\w./~-]+\.(?:pem|key|crt|cer|p12|pfx|jks|pub|ya?ml|json|txt|conf|cfg|ini|env|gpg|asc|rb|pp|tf|"
    r"erb|j2|list|log|sh|py|xml|properties|toml|html?|keytab)",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"<[^<>]*>|\*+|[xX]{3,}|\.{2,}|_{2,}\w+_{2,}|@\w+@|%\w+%|-+|\?+|\{\w+\}")
# `$name` alone, as in a string of Puppet; within a text it may be a password's own
_VARIABLES = re.compile(r"(?:\$\{?[A-Za-z_:][\w:.]*\}?[-_./:@]?)+")
_URL = re.compile(r"[A-Za-z][\w+.-]{0,30}://\S*")
NOTHING = frozenset(
    "true false yes no on off null nil none undef undefined ~ omit present absent latest always "
    "never on_create enabled disabled required optional string str bool boolean sensitive".split()
)
NOT_HERE = ("!vault", "|", ">", "<<", "{", "[", "&", "*")
"""What YAML and heredocs begin with where the value is encrypted, or stands in other lines."""
FEW_DIGITS = 3
"""A bare number of fewer is a switch or a count."""
LONG_RUN = 8
"""Letters and digits in one piece beside a reference: more than a separator or a prefix."""


def is_literal(value: str, *, is_bare: bool, names_bare: bool) -> bool:
    """Whether a value under a secret's key is a text of its own: no reference and no switch."""
    if fallback := _FALLBACK.search(value):
        given = next(filter(None, fallback.groups()))
        return _is_text(given)
    if is_bare and _is_name(value, names_bare):
        return False
    if _TEMPLATE.search(value):
        rest = _TEMPLATE.sub(" ", value)
        runs = re.findall(r"[A-Za-z0-9]+", rest)
        return bool(_ADDRESS.search(rest)) or any(len(run) >= LONG_RUN for run in runs)
    return _is_text(value)


def _is_name(value: str, names_bare: bool) -> bool:
    """Whether a value without quotes names something: a variable, a vault, a block below."""
    if _REFERENCE.fullmatch(value) or value.startswith(NOT_HERE):
        return True
    is_number = value.isdigit()
    if is_number and len(value) < FEW_DIGITS:
        return True
    # a bare word of Ruby or Terraform is a name; a number or `%q(x)` is not
    return names_bare and not (is_number or value.startswith("%"))


def _is_text(value: str) -> bool:
    value = value.strip()
    if not value or value.casefold() in NOTHING:
        return False
    if _PLACEHOLDER.fullmatch(value) or _VARIABLES.fullmatch(value):
        return False
    if _URL.fullmatch(value):
        return bool(_ADDRESS.search(value) or _QUERY.search(value))
    if _FILE.fullmatch(value):
        return False
    return not (_PATH.fullmatch(value) and not _is_random(value.replace("/", "")))


def _in_commands(line: str) -> Iterator[tuple[str, bool]]:
    commands = _COMMANDS if _COMMAND.search(line) else ()
    for pattern in (_ADDRESS, _QUERY, _HEADER, *commands):
        for found in pattern.finditer(line):
            yield found["value"].strip("'\""), False


_CHECKSUM = re.compile(
    r"checksum|\bsha-?\d*\b|sha\d+|\bmd5|digest|integrity|commit|\brev(?:ision)?\b|fingerprint|"
    r"sum\b|uuid|guid|\betag|ssh-(?:rsa|dss|ed25519)|ecdsa-sha2|public|certificate|@[0-9a-f]{40}",
    re.IGNORECASE,
)
_STRING = re.compile(r"[A-Za-z0-9+/=_-]{20,400}")
_HEX = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
ENTROPY = 4.0
"""Bits a character of 20 or more: random base64 has 4.2 at 20, words of a language under 3.8.

detect-secrets asks for 4.5, which 22 characters cannot reach; caution costs little here."""


def _strings(line: str, is_secret: bool) -> Iterator[str]:
    """Strings that may be random: none where a checksum or a public key is spoken of."""
    if _CHECKSUM.search(line):
        return
    for found in _STRING.finditer(_URL.sub(" ", line)):
        text = found[0]
        # hexadecimal is a key where a secret is reported, and a checksum or an id elsewhere
        if not _HEX.fullmatch(text) or is_secret:
            yield text


def _is_random(text: str) -> bool:
    if _HEX.fullmatch(text):
        return entropy(text) > 3
    if entropy(text) < ENTROPY or not re.search(r"\d.*\d", text):
        return False
    # names are made of words, and words of runs of small letters
    words = sum(len(run) for run in re.findall(r"[a-z]{4,}|[A-Z]{5,}", text))
    return words < len(text) / 2 and bool(re.search(r"[a-z]", text) and re.search(r"[A-Z]", text))


def entropy(text: str) -> float:
    """Shannon's entropy of the characters of a text, in bits a character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


_HEREDOC = re.compile(r"<<[-~]?\s*['\"]?(\w+)|@\(['\"]?(\w+)[^)]*\)")
_BLOCK_SCALAR = re.compile(r"[|>][+-]?\d?[+-]?\s*(?:#.*)?$")
_OPENS = re.compile(r"(?:\{|\bdo(?:\s*\|\w+\|)?|\[|\(|=>|[:=])\s*(?:#.*)?$")


def _continuation(excerpt: Excerpt) -> Iterator[str]:
    """The lines that belong to the reported one: of its heredoc, block scalar or block."""
    if found := _HEREDOC.search(excerpt.line):
        end = found[1] or found[2]
        for line in excerpt.below:
            if line.strip().lstrip("|- ") == end:
                return
            yield line
    # a whole block only for what is reported as a secret: of others it is somebody else's line
    elif _BLOCK_SCALAR.search(excerpt.line) or (excerpt.is_secret and _OPENS.search(excerpt.line)):
        indent = _indent(excerpt.line)
        for line in excerpt.below:
            if line.strip() and _indent(line) <= indent:
                return
            yield line


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip().removeprefix("- "))


_GIVEN = re.compile(
    r"(?:^|[\s,{(:-])(?:default|value|content|data|default_value)\b['\"]?\s{0,40}(?:=>|=|:)\s*(?P<value>.*)"
)
_ITEM = re.compile(r"\s*(?:-\s+)?(?P<value>[^\s:=#][^:=]*|'[^']*'|\"[^\"]*\")\s*,?$")


def _beside(excerpt: Excerpt, below: Sequence[str]) -> Iterator[str | None]:
    """A value named by another line: above `default = "x"`, or before its own continuation."""
    given = [found["value"] for line in (excerpt.line, *below) if (found := _GIVEN.search(line))]
    item = _ITEM.match(next((line for line in below if line.strip()), ""))
    texts = given if given and _names_a_secret(*excerpt.above[-ABOVE:], excerpt.line) else []
    if item and not _HEREDOC.search(excerpt.line) and _names_a_secret(excerpt.line):
        texts = [*texts, item["value"]]
    for text in texts:
        value, is_bare = _value(text, is_word=False)
        if is_literal(value, is_bare=is_bare, names_bare=excerpt.names_bare):
            yield "a literal password, token or key"


def _names_a_secret(*lines: str) -> bool:
    return any(key for line in lines for key in _secret_keys(line))
