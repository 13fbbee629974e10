"""Token formats: how the tokens and keys of well-known services look, one row each.

Published by the services themselves and gathered by detect-secrets (Apache-2.0) and gitleaks (MIT),
whose patterns are facts here and not code: none of theirs is copied. To add one is to add a row.
"""

from __future__ import annotations

import re

FORMATS = {
    "AWS access key": r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA)[A-Z0-9]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{22}",
    "GitLab token": r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w-]{20}",
    "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10}|\bxapp-\d-[A-Za-z0-9-]{10}",
    "webhook address": r"hooks\.slack\.com/(?:services|workflows)/[\w/]{20}"
    r"|discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20}",
    "Stripe key": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16}",
    "SendGrid key": r"\bSG\.[\w-]{20,24}\.[\w-]{39,50}",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}",
    "PyPI token": r"\bpypi-AgE[\w-]{50}",
    "OpenAI or Anthropic key": r"\bsk-(?:proj-|ant-|svcacct-)?[\w-]{20}",
    "Google key": r"\bAIza[\w-]{35}|\bya29\.[\w-]{20}|\bGOCSPX-[\w-]{20}",
    "Azure key": r"\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40}|[?&]sig=[\w%+/-]{30}",
    "JSON web token": r"\beyJ[\w-]{8,}\.eyJ[\w-]{8}",
    "private key": r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"|\bPuTTY-User-Key-File|\bAGE-SECRET-KEY-1",
    "password hash": r"\$(?:1|5|6|2[abxy]|y|7|gy|apr1|argon2(?:id?|d)|pbkdf2-sha\d{1,3})\$"
    r"[^\s'\"]{8}",
    "Telegram token": r"\b\d{8,10}:AA[\w-]{33}",
    "Twilio key": r"\b(?:SK|AC)[0-9a-f]{32}\b",
    "Mailchimp or Mailgun key": r"\b[0-9a-f]{32}-us\d{1,2}\b|\bkey-[0-9a-f]{32}\b",
    "Square token": r"\bsq0(?:atp|csp|idp)-[\w-]{22}",
    "DigitalOcean token": r"\bdo[opr]_v1_[a-f0-9]{64}",
    "Vault or Terraform token": r"\bhv[sbr]\.[\w-]{24}|\b[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60}",
    "Databricks token": r"\bdapi[a-f0-9]{32}\b",
    "Hugging Face token": r"\bhf_[A-Za-z]{30}",
    "Docker Hub token": r"\bdckr_(?:pat|oat)_[\w-]{20}",
    "Grafana token": r"\bgl(?:sa|c)_[A-Za-z0-9+/=_]{30}",
    "New Relic key": r"\bNR(?:AK|AA|II)-[A-Z0-9]{20}",
    "Artifactory key": r"\bAKC[a-zA-Z0-9]{60}|\bcmVmd[A-Za-z0-9]{59}",
    "Shopify token": r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
}
_NAMES = tuple(FORMATS)
_ANY = re.compile("|".join(f"({pattern})" for pattern in FORMATS.values()))


def token_in(text: str) -> str | None:
    """What kind of token a text holds, None if none of these."""
    found = _ANY.search(text)
    return _NAMES[(found.lastindex or 1) - 1] if found else None
