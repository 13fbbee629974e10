"""iacfilter_hpc.samples.smells: the table is whole, and says what is missing in a row."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from iacfilter_hpc.samples.smells import (
    BY_NAME,
    NAMES,
    RULES,
    SMELLS,
    Rule,
    Smell,
    rule_of,
    smell_of_code,
    smell_of_words,
)

# GLITCH main 21db8c4, glitch/analysis/rules.py
GENERAL = """sec_https sec_susp_comm sec_def_admin sec_empty_pass sec_weak_crypt sec_hard_secr
sec_hard_pass sec_hard_user sec_invalid_bind sec_no_int_check sec_no_default_switch
sec_full_permission_filesystem sec_obsolete_command""".split()
TERRAFORM = """sec_integrity_policy sec_ssl_tls_policy sec_dnssec sec_public_ip sec_access_control
sec_authentication sec_missing_encryption sec_firewall_misconfig sec_threats_detection_alerts
sec_weak_password_key_policy sec_sensitive_iam_action sec_key_management sec_network_security_rules
sec_permission_iam_policies sec_logging sec_attached_resource sec_versioning sec_naming
sec_replication""".split()
DESIGN = """design_imperative_abstraction design_unnecessary_abstraction design_duplicate_block
design_avoid_comments design_long_resource design_multifaceted_abstraction
design_misplaced_attribute implementation_long_statement implementation_improper_alignment
implementation_too_many_variables implementation_unguarded_variable""".split()
WITHOUT_CWE = {"sec_versioning", "sec_replication", *DESIGN}


def missing_in(smell: Smell) -> list[str]:
    """What a row lacks."""
    texts = {"meaning": smell.meaning, "tp": smell.tp, "fp": smell.fp}
    texts |= {f"description of {rule.id}": rule.description for rule in smell.rules}
    return [
        *(["name"] if not re.fullmatch(r"[a-z]+(_[a-z]+)*", smell.name) else []),
        *(["title"] if not smell.title else []),
        *(["rules"] if not smell.rules else []),
        *(what for what, text in texts.items() if not text.endswith(".") or not text.strip(". ")),
        *(f"name of {rule.id}" for rule in smell.rules if not rule.name[:1].isupper()),
        *(
            f"cwe of {rule.id}"
            for rule in smell.rules
            if not rule.cwe and rule.id not in WITHOUT_CWE
        ),
        # "over 9.0 is critical, from 7.0 to 8.9 is high": only these are errors
        *(["level"] if (smell.level == "error") is not ((smell.severity or 0) >= 7) else []),
        *(
            ["severity"]
            if any(rule.is_security for rule in smell.rules) is not (smell.severity is not None)
            else []
        ),
    ]


@pytest.mark.parametrize("smell", SMELLS, ids=lambda smell: smell.name)
def test_no_row_lacks_anything(smell: Smell) -> None:
    assert missing_in(smell) == []


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"tp": ""}, ["tp"]),
        ({"meaning": "No end"}, ["meaning"]),
        ({"severity": None}, ["level", "severity"]),
        ({"level": "warning"}, ["level"]),
        ({"rules": ()}, ["rules", "severity"]),
        ({"rules": (Rule("sec_x", "X - "),)}, ["description of sec_x", "cwe of sec_x"]),
        ({"rules": (Rule("sec_x", " - Y. (CWE-1)"),)}, ["name of sec_x"]),
        ({"name": "hard-coded", "title": ""}, ["name", "title"]),
    ],
)
def test_what_is_missing_in_a_row_is_said(changes: dict[str, object], missing: list[str]) -> None:
    assert missing_in(replace(SMELLS[0], **changes)) == missing  # type: ignore[arg-type]


def test_every_rule_of_glitch_is_there_once() -> None:
    assert (len(GENERAL), len(TERRAFORM), len(DESIGN)) == (13, 19, 11)
    assert Counter(rule.id for rule in RULES) == Counter([*GENERAL, *TERRAFORM, *DESIGN])
    assert [rule.id for rule in RULES if not rule.is_security] == [
        rule.id for rule in RULES if rule.id in DESIGN
    ]


def test_names_and_words_lead_to_one_smell_each() -> None:
    """A word that two rows claim would be the later one's, silently."""
    assert len(BY_NAME) == len(NAMES) == len(SMELLS)
    for smell in SMELLS:
        words = [smell.name, smell.title, *smell.words]
        words += [word for rule in smell.rules for word in (rule.id, rule.name)]
        assert {smell_of_words(word) for word in words} == {smell.name}
        assert {smell_of_words(word.upper().replace("_", "-")) for word in words} == {smell.name}
        for rule in smell.rules:
            assert smell_of_code(rule.id) == smell.name
            assert rule_of(smell.name, rule.id) is rule_of(smell.name, rule.name) is rule
    assert smell_of_code("SEC_HTTPS") is None, "codes are GLITCH's own, to the letter"


def test_a_rule_is_parted_from_its_message() -> None:
    crypto = rule_of("weak_cryptography_algorithms", "sec_weak_crypt")
    assert (crypto.name, crypto.cwe) == ("Weak Crypto Algorithm", (326, 327))
    assert crypto.description == "Algorithms that are known to be broken protect nothing."
    versioning = rule_of("versioning", "sec_versioning")
    assert (versioning.cwe, versioning.description[-9:]) == ((), "restored.")


def test_words_of_no_rule_are_of_the_first() -> None:
    assert rule_of("hard_coded_secret", "hardcoded-secret").id == "sec_hard_secr"
    assert rule_of("hard_coded_secret", "Hard-coded password").id == "sec_hard_pass"
