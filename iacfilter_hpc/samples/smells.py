"""Smells: what GLITCH reports, one row each. To add one is to add a row.

A smell is what a model judges; its rules are the codes under which GLITCH reports it, most often
one. A row says by which names reports and oracles call a smell, how bad it is and what it means.
All else follows: import, the flags' choices, prompts and the rules of a SARIF log.

Source of ids, names and CWE numbers: GLITCH main 21db8c4, glitch/analysis/rules.py (13 rules of
security for all technologies, 19 for Terraform alone, 11 of design); version 2.0.0 has the same,
1.0.1 half of them. Descriptions are GLITCH's own words where its reports hold them, else ours, as
are levels, severities and the sentences of prompts: no analysis of a single line can know what is
behind it. Words: Saavedra and Ferreira, GLITCH, ASE 2022 (10.1145/3551349.3556945), its replication
package and the categories of its oracles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule of GLITCH: `id` is its code in reports, `message` what it says, in its own form.

    The form is `Name - Description. (CWE-1 | CWE-2)`; what is no matter of security has no CWE.
    """

    id: str
    message: str

    @property
    def name(self) -> str:
        """GLITCH's name of the rule."""
        return self.message.partition(" - ")[0]

    @property
    def description(self) -> str:
        """What is wrong, in a sentence or two."""
        return self.message.partition(" - ")[2].partition(" (CWE-")[0]

    @property
    def cwe(self) -> tuple[int, ...]:
        """Numbers of its weaknesses, as the message has them."""
        return tuple(int(number) for number in re.findall(r"CWE-([0-9]+)", self.message))

    @property
    def is_security(self) -> bool:
        """Whether GLITCH counts it to security, and not to design."""
        return self.id.startswith("sec_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Smell:
    """One smell.

    `rules` are GLITCH's, `words` what else it is called. `level` is SARIF's, `severity` a score
    from 0 to 10 as in CVSS, None for what is no matter of security. `meaning` says what it is, `tp`
    and `fp` what makes a report of it right or wrong: sentences of the prompt, on which trained
    models rest. `is_filtered`: it is wrong often enough to be worth a filter, and imported unless
    others are asked for. `is_of_a_block`: it is reported where a block begins, in words that stand
    in a later line of it.
    """

    name: str
    title: str
    words: tuple[str, ...] = ()
    level: Level = "note"
    severity: float | None = None
    meaning: str
    tp: str
    fp: str
    rules: tuple[Rule, ...]
    is_filtered: bool = False
    is_of_a_block: bool = False


# A changed title, meaning, tp or fp is another prompt: models that were trained before would be
# asked in words that they do not know.
SMELLS = (
    Smell(
        name="hard_coded_secret",
        title="hard-coded secret",
        words=("hardcoded-secret",),
        level="error",
        severity=7.5,
        meaning="A credential is written into the code as a literal, so whoever can read the "
        "repository can use it.",
        tp="the literal itself is a password, token or private key that grants access.",
        fp="only the name looks secret. The value is a path, a mode, a switch, an empty default "
        "or a reference to a vault.",
        rules=(
            Rule(
                "sec_hard_secr",
                "Hard-coded secret - Developers should not reveal sensitive information in the "
                "source code. (CWE-798)",
            ),
            Rule(
                "sec_hard_pass",
                "Hard-coded password - Developers should not reveal sensitive information in the "
                "source code. (CWE-259)",
            ),
            Rule(
                "sec_hard_user",
                "Hard-coded user - Developers should not reveal sensitive information in the "
                "source code. (CWE-798)",
            ),
        ),
        is_filtered=True,
    ),
    Smell(
        name="suspicious_comment",
        title="suspicious comment",
        level="warning",
        severity=2.0,
        meaning="A comment admits that something is broken, unfinished or insecure and has been "
        "left that way.",
        tp="the author records a defect, a workaround or missing work that still concerns this "
        "code.",
        fp="a word such as debug, issue or ticket occurs, yet the comment only explains how the "
        "code works.",
        rules=(
            Rule(
                "sec_susp_comm",
                "Suspicious comment - Comments with keywords such as TODO HACK or FIXME may "
                "reveal problems possibly exploitable. (CWE-546)",
            ),
        ),
        is_filtered=True,
    ),
    Smell(
        name="weak_cryptography_algorithms",
        title="weak cryptography",
        words=("Use of weak cryptography algorithms", "Use of weak crypto algorithm"),
        level="warning",
        severity=5.9,
        meaning="Broken algorithms such as MD5, SHA-1 or RC4 protect passwords, certificates or "
        "connections.",
        tp="the setting makes the system rely on the weak algorithm for protection.",
        fp="the algorithm is merely part of a name, such as a package or a file, or nothing "
        "relies on it for protection.",
        rules=(
            Rule(
                "sec_weak_crypt",
                "Weak Crypto Algorithm - Algorithms that are known to be broken protect nothing. "
                "(CWE-326 | CWE-327)",
            ),
        ),
        is_filtered=True,
    ),
    Smell(
        name="use_of_http",
        title="use of HTTP",
        words=("Use of HTTP without SSL/TLS",),
        level="warning",
        severity=5.9,
        meaning="Data or software travels over a plain connection, where others can read or "
        "replace it.",
        tp="the address is contacted over the network without TLS.",
        fp="nothing is fetched or sent there in the clear. The address is an identifier such as a "
        "namespace, or only a pattern to match.",
        rules=(
            Rule(
                "sec_https",
                "Use of HTTP without TLS - The developers should always favor the usage of HTTPS. "
                "(CWE-319)",
            ),
        ),
        is_filtered=True,
    ),
    Smell(
        name="admin_by_default",
        title="admin by default",
        level="warning",
        severity=5.5,
        meaning="A user, a role or a service gets full rights of the system where fewer would do.",
        tp="the setting really gives an account or a process the rights of root or an "
        "administrator.",
        fp="the word names something else, such as a contact, a path or a group without such "
        "rights.",
        rules=(
            Rule(
                "sec_def_admin",
                "Admin by default - Developers should always try to give the least privileges "
                "possible. Admin privileges may indicate a security problem. (CWE-250)",
            ),
        ),
    ),
    Smell(
        name="empty_password",
        title="empty password",
        level="error",
        severity=8.0,
        meaning="An account can be entered with a password of no characters.",
        tp="the empty value is the password that the system will take.",
        fp="the value is filled in elsewhere, or being empty switches the login by password off.",
        rules=(
            Rule(
                "sec_empty_pass",
                "Empty password - An empty password is indicative of a weak password which may "
                "lead to a security breach. (CWE-258)",
            ),
        ),
    ),
    Smell(
        name="unrestricted_ip_address",
        title="unrestricted IP address",
        level="warning",
        severity=5.3,
        meaning="A service listens on every network interface, or a rule lets every address in.",
        tp="the address opens a service or a port to networks that need no access to it.",
        fp="the address opens nothing: it is a default route, an example, or a rule that denies.",
        rules=(
            Rule(
                "sec_invalid_bind",
                "Invalid IP address binding - Binding to the address 0.0.0.0 allows connections "
                "from every possible network which might be a security issues. (CWE-284)",
            ),
        ),
    ),
    Smell(
        name="no_integrity_check",
        title="no integrity check",
        level="warning",
        severity=6.5,
        meaning="Something is downloaded and used, and nothing checks that it is what its author "
        "made.",
        tp="software or data is fetched here without a checksum or a signature, or the check is "
        "off.",
        fp="a checksum or signature is verified nearby, or nothing is downloaded on this line.",
        rules=(
            Rule(
                "sec_no_int_check",
                "No integrity check - The content of files downloaded from the internet should be "
                "checked. (CWE-353)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="missing_default_case",
        title="missing default case",
        words=("Missing Default in Case Statement",),
        level="warning",
        severity=3.0,
        meaning="A choice between cases has no branch for a value that nobody thought of.",
        tp="a value outside the listed cases leaves the system without a setting or a protection.",
        fp="the cases are complete, or doing nothing is right for every other value.",
        rules=(
            Rule(
                "sec_no_default_switch",
                "Missing default case statement - Not handling every possible input combination "
                "might allow an attacker to trigger an error for an unhandled value. (CWE-478)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="full_permission_filesystem",
        title="full permission to the file system",
        level="warning",
        severity=6.5,
        meaning="Every user of the machine may read, write and run a file or a folder.",
        tp="the mode lets any user change what others rely on.",
        fp="the digits are no mode, or what they open is meant for all, such as a temporary "
        "folder with its sticky bit.",
        rules=(
            Rule(
                "sec_full_permission_filesystem",
                "Full permission to the filesystem - Files and folders should not be writable by "
                "every user. (CWE-732)",
            ),
        ),
    ),
    Smell(
        name="obsolete_command",
        title="obsolete command",
        level="warning",
        severity=3.7,
        meaning="A command or function is used that its authors have given up or replaced.",
        tp="the obsolete command itself is run here.",
        fp="the word is an argument, a path or the name of something else.",
        rules=(
            Rule(
                "sec_obsolete_command",
                "Use of obsolete command or function - Commands and functions that are no longer "
                "maintained should be replaced. (CWE-477)",
            ),
        ),
    ),
    # of Terraform alone: most are about what is absent, and stand where a resource begins
    Smell(
        name="integrity_policy",
        title="no integrity policy",
        level="warning",
        severity=5.3,
        meaning="An image tag can be moved to another image, or a machine starts without its "
        "integrity being watched.",
        tp="the resource allows mutable tags, or leaves integrity monitoring or secure boot off.",
        fp="the setting is made elsewhere in the resource, or the resource holds nothing that "
        "could be replaced.",
        rules=(
            Rule(
                "sec_integrity_policy",
                "Integrity Policy - Image tags should be immutable, and the integrity of machines "
                "monitored. (CWE-471)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="ssl_tls_policy",
        title="weak TLS policy",
        level="warning",
        severity=6.5,
        meaning="A service accepts connections without TLS, or by an outdated version of it.",
        tp="clients can connect in the clear or by a version before TLS 1.2.",
        fp="the service accepts TLS 1.2 or later alone, or takes no connections.",
        rules=(
            Rule(
                "sec_ssl_tls_policy",
                "SSL/TLS/mTLS Policy - Connections should be encrypted, and by versions of TLS "
                "without known weaknesses. (CWE-326)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="dnssec",
        title="DNS without DNSSEC",
        level="warning",
        severity=4.8,
        meaning="The answers of a DNS zone are not signed, so that others can forge them.",
        tp="a public zone has DNSSEC off or does not mention it.",
        fp="the zone is private, or signed elsewhere.",
        rules=(
            Rule(
                "sec_dnssec",
                "Use of DNS without DNSSEC - DNS zones should be signed by DNSSEC. (CWE-350)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="public_ip",
        title="public IP address",
        level="warning",
        severity=5.3,
        meaning="A machine or service gets an address that the whole internet can reach.",
        tp="the resource needs no public address and gets one.",
        fp="the resource is meant to be public, such as a load balancer or a bastion, or gets a "
        "private address.",
        rules=(
            Rule(
                "sec_public_ip",
                "Associated Public IP address - A resource with a public address can be reached "
                "from the internet. (CWE-1327)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="access_control",
        title="insecure access control",
        level="warning",
        severity=6.5,
        meaning="Data or an interface can be reached by others than those who need it.",
        tp="the resource is open to the public or to everyone in the account.",
        fp="access is limited elsewhere, such as by a policy or an account setting, or the "
        "resource is meant to be public.",
        rules=(
            Rule(
                "sec_access_control",
                "Insecure Access Control - Access should be limited to those who need it. "
                "(CWE-284)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="authentication",
        title="weak authentication",
        level="error",
        severity=7.5,
        meaning="A service can be used without authentication, or by a weak one.",
        tp="authentication is off, anonymous, or without a second factor where one is asked for.",
        fp="another layer authenticates, or nothing can be reached without it.",
        rules=(
            Rule(
                "sec_authentication",
                "Disabled/Weak Authentication - Users and services should have to prove who they "
                "are. (CWE-287 | CWE-306)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="missing_encryption",
        title="missing encryption",
        level="warning",
        severity=5.9,
        meaning="Data are stored or sent unencrypted.",
        tp="the resource holds data, and encryption is off or not mentioned where the default is "
        "off.",
        fp="encryption is the provider's default, is set elsewhere, or there are no data to "
        "protect.",
        rules=(
            Rule(
                "sec_missing_encryption",
                "Missing Encryption - Sensitive data should be encrypted where they are stored "
                "and where they travel. (CWE-311)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="firewall_misconfig",
        title="firewall misconfiguration",
        level="warning",
        severity=5.3,
        meaning="A firewall is off, absent, or lets through more than is needed.",
        tp="the rule or its absence opens a resource to networks that need no access.",
        fp="another rule or firewall limits the access, or the rule denies.",
        rules=(
            Rule(
                "sec_firewall_misconfig",
                "Firewall Misconfiguration - Firewalls should be on, and let through no more than "
                "is needed. (CWE-693)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="threats_detection_alerts",
        title="missing threat detection",
        severity=3.1,
        meaning="Attacks on a resource are not looked for, or nobody is told of them.",
        tp="detection or its alerts are off, or have no one to go to.",
        fp="detection is switched on for the whole account, or alerts go another way.",
        rules=(
            Rule(
                "sec_threats_detection_alerts",
                "Missing Threats Detection/Alerts - Detection of threats should be on, and its "
                "alerts sent to people. (CWE-693)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="weak_password_key_policy",
        title="weak password or key policy",
        level="warning",
        severity=5.9,
        meaning="Passwords may be short, simple or old, or keys never expire or can be purged.",
        tp="the policy allows what is easily guessed, or leaves a secret without an end.",
        fp="the policy is stricter elsewhere, or concerns no password or key that people use.",
        rules=(
            Rule(
                "sec_weak_password_key_policy",
                "Weak Password/Key Policy - Passwords should be strong, and keys should expire "
                "and be protected from deletion. (CWE-521)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="sensitive_iam_action",
        title="sensitive IAM action",
        level="warning",
        severity=6.5,
        meaning="A policy grants an action by which more rights or data can be had.",
        tp="the policy allows such an action, or all of them, to those who do not need it.",
        fp="the statement denies, is limited by a condition, or is an administrator's.",
        rules=(
            Rule(
                "sec_sensitive_iam_action",
                "Sensitive Action by IAM - Policies should grant the least privileges that will "
                "do. (CWE-284)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="key_management",
        title="weak key management",
        severity=3.7,
        meaning="Data are encrypted by the provider's default key, or by a key that is never "
        "rotated.",
        tp="the data are such that their owner must control the key, and does not.",
        fp="the provider's key is enough for these data, or the key is named elsewhere.",
        rules=(
            Rule(
                "sec_key_management",
                "Key Management - Data should be encrypted by keys that the customer manages and "
                "rotates. (CWE-1394)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="network_security_rules",
        title="insecure network rule",
        level="warning",
        severity=5.9,
        meaning="A network rule allows connections that nobody needs, or there is none that "
        "denies.",
        tp="the rule opens ports or address ranges beyond the need.",
        fp="another rule denies them, or the network is reached by trusted peers alone.",
        rules=(
            Rule(
                "sec_network_security_rules",
                "Network Security Rules - Networks should allow only the connections that are "
                "needed. (CWE-923)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="permission_iam_policies",
        title="excessive IAM permission",
        level="warning",
        severity=6.5,
        meaning="A policy grants rights too broadly, or to single users.",
        tp="those who get the rights need fewer, or others get them as well.",
        fp="the rights are limited by scope or condition, or belong to the role's task.",
        rules=(
            Rule(
                "sec_permission_iam_policies",
                "Permission of IAM Policies - Policies should be attached to groups or roles, and "
                "grant no more than is needed. (CWE-732 | CWE-284)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="logging",
        title="missing logging",
        severity=3.7,
        meaning="What happens in a resource is not logged, or its logs are incomplete or kept too "
        "briefly.",
        tp="an attack on the resource would leave no trace that can be looked up.",
        fp="logs are written by another resource or by default, or there is nothing to log.",
        rules=(
            Rule(
                "sec_logging",
                "Logging - Logs should be written, kept and protected. (CWE-223 | CWE-778)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="attached_resource",
        title="DNS record without a resource",
        level="warning",
        severity=4.3,
        meaning="A DNS record points to an address that no resource of the account holds.",
        tp="the address may be given to someone else, who then receives the traffic.",
        fp="the address belongs to the owner outside of this code.",
        rules=(
            Rule(
                "sec_attached_resource",
                "Attached Resource - DNS records should point to resources of one's own account. "
                "(CWE-200)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="versioning",
        title="missing versioning",
        severity=2.0,
        meaning="Objects of a storage are overwritten and deleted for good.",
        tp="data that must not be lost have no earlier versions to go back to.",
        fp="versioning is set by another resource, or the data can be made again.",
        rules=(
            Rule(
                "sec_versioning",
                "Versioning - Storage should keep versions, from which lost data can be restored.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="naming",
        title="naming",
        severity=1.0,
        meaning="A name breaks the provider's rules, or a security rule has no description.",
        tp="the name is refused or misleading, or nobody can tell what the rule is for.",
        fp="the name or the rule explains itself.",
        rules=(
            Rule(
                "sec_naming",
                "Naming - Storage accounts should follow the naming rules, and security rules "
                "have a description. (CWE-1099 | CWE-710)",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="replication",
        title="missing replication",
        severity=2.0,
        meaning="Objects of a bucket exist in one region alone.",
        tp="data that must survive the loss of a region are not copied.",
        fp="another resource replicates them, or they can be made again.",
        rules=(
            Rule(
                "sec_replication",
                "Replication - Buckets should be replicated to another region.",
            ),
        ),
        is_of_a_block=True,
    ),
    # of design: no matter of security
    Smell(
        name="imperative_abstraction",
        title="imperative abstraction",
        meaning="A script tells step by step what to run instead of declaring what should be.",
        tp="declarative resources could do the same.",
        fp="the commands have no declarative form.",
        rules=(
            Rule(
                "design_imperative_abstraction",
                "Imperative abstraction - Commands to be run in order defy a language that "
                "declares a state.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="unnecessary_abstraction",
        title="unnecessary abstraction",
        meaning="A class, role or module holds nothing.",
        tp="the block could go and nothing would change.",
        fp="it is a placeholder that others rely on, or it only includes others on purpose.",
        rules=(
            Rule(
                "design_unnecessary_abstraction",
                "Unnecessary abstraction - A block that declares nothing is unnecessary.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="long_statement",
        title="long statement",
        meaning="A line is so long that it is hard to read and to change.",
        tp="the statement could be broken into parts.",
        fp="it is a text, an address or a hash that cannot be broken.",
        rules=(
            Rule(
                "implementation_long_statement",
                "Long statement - Long statements may decrease the readability and "
                "maintainability of the code.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="improper_alignment",
        title="improper alignment",
        meaning="The attributes of a resource are not aligned as the style guide says.",
        tp="the style guide of the language asks for another alignment.",
        fp="the alignment is that of the style guide, or of no concern to it.",
        rules=(
            Rule(
                "implementation_improper_alignment",
                "Improper alignment - Attributes should be aligned as the language's style guide "
                "says, and without tabs.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="too_many_variables",
        title="too many variables",
        meaning="A script declares so many variables that it seems to serve several purposes.",
        tp="the script could be split by purpose.",
        fp="the variables belong to one purpose, such as a file of defaults.",
        rules=(
            Rule(
                "implementation_too_many_variables",
                "Too many variables - A script with very many variables may serve too many "
                "purposes.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="duplicate_block",
        title="duplicate block",
        meaning="The same lines stand in several places.",
        tp="one definition could serve all the places.",
        fp="the likeness is of the format's making, or chance.",
        rules=(
            Rule(
                "design_duplicate_block",
                "Duplicate block - Duplicates blocks may reveal a missing abstraction.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="unguarded_variable",
        title="unguarded variable",
        meaning="A variable stands inside a string without braces around its name.",
        tp="the language wants braces there.",
        fp="the text is no variable, or braces would change nothing.",
        rules=(
            Rule(
                "implementation_unguarded_variable",
                "Unguarded variable - Variables inside strings should be enclosed in braces.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="avoid_comments",
        title="comment",
        meaning="A comment stands where the code should speak for itself.",
        tp="the comment excuses or repeats the code.",
        fp="the comment says what the code cannot.",
        rules=(
            Rule(
                "design_avoid_comments",
                "Avoid comments - Comments may lead to bad code or be used as a way to justify "
                "bad code.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="long_resource",
        title="long resource",
        meaning="A resource or task has very many lines.",
        tp="it could be split into several.",
        fp="its length is that of one necessary text or list.",
        rules=(
            Rule(
                "design_long_resource",
                "Long Resource - Long resources may be hard to read and to maintain.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="multifaceted_abstraction",
        title="multifaceted abstraction",
        meaning="One block deals with several things at once.",
        tp="its parts could be changed apart from each other.",
        fp="its parts only make sense together.",
        rules=(
            Rule(
                "design_multifaceted_abstraction",
                "Multifaceted Abstraction - A block should set the properties of one piece of "
                "software alone.",
            ),
        ),
        is_of_a_block=True,
    ),
    Smell(
        name="misplaced_attribute",
        title="misplaced attribute",
        meaning="An attribute stands where the style guide wants another.",
        tp="the style guide asks for another order.",
        fp="the order is free there, or as the guide says.",
        rules=(
            Rule(
                "design_misplaced_attribute",
                "Misplaced attribute - Attributes should stand in the order that the language's "
                "style guide says.",
            ),
        ),
        is_of_a_block=True,
    ),
)

RULES = tuple(rule for smell in SMELLS for rule in smell.rules)
BY_NAME = {smell.name: smell for smell in SMELLS}
NAMES = tuple(BY_NAME)
FILTERED = tuple(smell.name for smell in SMELLS if smell.is_filtered)
"""The smells that are wrong often enough to be worth a filter (IntelliSA, arXiv 2601.14595)."""


def smell_of_code(code: str) -> str | None:
    """The smell that a code of GLITCH stands for, None if it is none of its rules."""
    # by the letter, unlike words: codes come from GLITCH itself, words from people
    return _BY_CODE.get(code)


def smell_of_words(words: str) -> str | None:
    """The smell that words of the replication package or an oracle stand for, None if unknown.

    Case, hyphens and punctuation do not matter; our own names, GLITCH's names and its codes are
    words too.
    """
    return _BY_WORDS.get(_plain(words))


def rule_of(smell: str, reported: str) -> Rule:
    """The rule of a smell under which it is reported: by GLITCH's code, or by its name in words.

    The smell's first where the words are others.

    Raises:
        KeyError: there is no such smell.
    """
    rules = BY_NAME[smell].rules
    # most smells have one, and most reports name the code: neither needs the words made alike
    found = next((rule for rule in rules if len(rules) == 1 or rule.id == reported), None)
    word = "" if found else _plain(reported)
    return found or next((rule for rule in rules if _plain(rule.name) == word), rules[0])


def title_of(name: str) -> str:
    """A smell's title; of a name that is none of ours, the name itself."""
    smell = BY_NAME.get(name)
    return name if smell is None else smell.title


def _plain(words: str) -> str:
    return re.sub(r"[\W_]+", "", words).lower()


# not at the top: they need the table, and _plain
_BY_CODE = {rule.id: smell.name for smell in SMELLS for rule in smell.rules}
_BY_WORDS = {
    _plain(words): smell.name
    for smell in SMELLS
    for words in (
        *(smell.name, smell.title, *smell.words),
        *(word for rule in smell.rules for word in (rule.id, rule.name)),
    )
}
