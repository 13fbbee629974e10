"""Names and values that break a script which does not quote them, and execute what they hold."""

from __future__ import annotations

CANARY = "canary"
"""The file that appears in the working directory if any of the values is executed."""

HOSTILE = {
    "spaces": " two  words ",
    "single quotes": f"it's '; touch {CANARY}; '",
    "double quotes": f'a "; touch {CANARY}; "',
    "semicolon": f"a; touch {CANARY}; b",
    "substitution": f"$(touch {CANARY})",
    "backticks": f"`touch {CANARY}`",
    "variable": "$HOME ${PATH} $python",
    "globs and braces": "* ? [a] {b,c} ~ !!",
    "redirection": f"a > {CANARY} | tee {CANARY} &",
    "comment": f"# a\\ touch {CANARY}",
    "percent": "%j %% 100%",
    "backslashes": r"\n \\ \' \"",
    "option": "--wrap=id",
    "unicode": "grün 模型 \u202e\u200b",
    "jinja": f"x {{{{ 7 * 7 }}}} {{% raw %}} {{# {CANARY} #}}",
    "newline": f"a\ntouch {CANARY}\nb",
    "sbatch line": f"a\n#SBATCH --wrap='touch {CANARY}'",
    "carriage return": f"a\r\ntouch {CANARY}",
    "tab and escape": "a\tb\x1b[31m",
}
"""Each kind of hostile value by its name."""

ON_ONE_LINE = {
    name: value for name, value in HOSTILE.items() if all(c.isprintable() for c in value)
}
"""Those without a control character; right-to-left marks are not printable either."""
