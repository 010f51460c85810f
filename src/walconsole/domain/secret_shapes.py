"""Secrets that their form gives away, whatever command or message they stand in: one pattern a convention."""

import re
from typing import NamedTuple

from walconsole.domain.patterns import pattern

_IN_OTHER_LANGUAGES = (
    r"pass?wort|kennwort|contrase.{1,2}a|mot[ _-]de[ _-]passe|senha|пароль|パスワード|密码|密碼"
    r"|비밀번호|hasło|wachtwoord|lösenord|heslo|şifre|parola"
)
"""A password as German, Spanish, French, Portuguese, Russian, Japanese, Chinese, Korean, Polish, Dutch,
Swedish, Czech, Turkish and Italian call it."""

_MARKS_IN_OTHER_LANGUAGES = (
    "wort", "woord", "contrase", "mot", "senha", "пароль", "パスワード", "密码", "密碼", "비밀번호",
    "hasło", "lösenord", "heslo", "şifre", "parola",
)  # fmt: skip
"""One of them is in each of these."""

_ENCODED = r"%(?:25){0,2}"
"""A percent sign in a URL, which may have been encoded again."""


class Shape(NamedTuple):
    """`secret` is what is masked. Each of its matches has one of `needs` in it or before it, in lower case.

    Most texts have none of these, and to look for a word takes a fiftieth of the time.
    """

    needs: tuple[str, ...]
    secret: re.Pattern[str]

    def masked(self, text: str, folded: str, by: str) -> str:
        """`text`, whose lower case is `folded`, with `by` in the place of each secret."""
        for need in self.needs:  # any() takes three times as long
            if need in folded:
                return self.secret.sub(by, text)
        return text


SHAPES = (
    Shape(("_v1_",), pattern(r"\bdo[opr]_v1_[0-9a-f]{32,}\b")),  # DigitalOcean API tokens
    Shape(
        (
            "ghp_",
            "ghs_",
            "github_pat_",
        ),
        pattern(r"\b(?:gh[ps]_|github_pat_)[A-Za-z0-9_-]{16,}"),
    ),
    Shape(("aiza",), pattern(r"\bAIza[0-9A-Za-z_-]{30,}")),  # Google API keys
    Shape(("eyj",), pattern(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")),  # JSON Web Tokens
    Shape(("age-",), pattern(r"(?i)\bAGE-(?:SECRET-KEY|PLUGIN)(?:-[A-Z0-9]{1,20})?-1[0-9A-Za-z]+")),
    Shape(  # Vault's before 1.10: a service token, and a batch or recovery token
        (
            "s.",
            "r.",
            "b.",
        ),
        pattern(
            r"(?<![\w./-])(?:s\.(?:(?=[0-9A-Za-z]{0,23}[A-Z])(?=[0-9A-Za-z]{0,23}[a-z])[0-9A-Za-z]{24}(?!\w)"
            r"|(?=[0-9A-Za-z]{0,40}[0-9])(?=[0-9A-Za-z]{0,40}[a-z])[0-9A-Za-z]{20,40}(?!\w))"
            r"(?:\.[0-9A-Za-z]{5}(?!\w))?|[br]\.[A-Za-z0-9_-]{60,})"
        ),
    ),
    Shape(  # user:password in a URL that is encoded itself, perhaps twice
        (
            "%3a%2f%2f",
            "%253a%252f%252f",
        ),
        pattern(
            rf"(?i)(?:(?<=%3a%2f%2f)|(?<=%253a%252f%252f))(?:(?!{_ENCODED}(?:2f|3a|40))[^\s&'\"]){{1,200}}{_ENCODED}3a"
            rf"(?:(?!{_ENCODED}(?:2f|40))[^\s&'\"]){{1,300}}(?={_ENCODED}40)"
        ),
    ),
    Shape(
        ("bearer ",), pattern(r"(?i)(?<=bearer )(?=[A-Za-z._~+/=-]{0,200}[0-9]|\S{20})[A-Za-z0-9._~+/=-]{8,}")
    ),
    Shape(("://",), pattern(r"(?<=://)[^\s/?#:'\"]*+:[^\s/?#'\"]*(?=@)")),  # user:password in a URL
    Shape(
        ("://",), pattern(r"(?<=://)[^\s/?#:@'\"]*+:(?!\d{1,5}/)[^\s?#@'\"]{1,200}+(?=@)")
    ),  # with a slash in the password
    Shape(("://",), pattern(r"(?<=://)[A-Za-z0-9_-]{20,}(?=@)")),  # a token alone
    Shape(
        ("@",),
        pattern(
            r"(?<![\w@:/.-])[\w.+-]{1,64}+:(?!\d{1,3}(?:\.\d|@))[^\s@/:'\",;()]{1,64}(?=@(?!sha\d)[\w-]+[.:])"
        ),
    ),
    Shape(
        (
            "x-amz-",
            "x-goog-",
            "x-ms-",
            "x-oss-",
            "x-cos-",
            "x-obs-",
        ),
        pattern(
            r"(?<=[?&])(?i:x-(?:amz|goog|ms|oss|cos|obs)-(?:signature|credential|security-token))=[^&\s'\"]+"
        ),
    ),
    Shape(("signature=",), pattern(r"(?i)(?<=signature=)[0-9a-f]{32,}")),
    Shape(("hooks.slack.com",), pattern(r"(?<=hooks\.slack\.com/services/)[\w/]+")),
    Shape(("/api/webhooks/",), pattern(r"(?<=/api/webhooks/)\d{10,}/[\w-]+")),  # Discord's
    Shape(("webhook.office.com",), pattern(r"(?<=webhook\.office\.com/webhookb2/)[^\s'\"]+")),
    Shape(("api.telegram.org",), pattern(r"(?<=api\.telegram\.org/bot)[\w:-]+")),
    Shape(
        ("hc-ping.com",),
        pattern(r"(?<=hc-ping\.com/)(?!ping/)[\w-]+(?:/[\w-]+)?|(?<=hc-ping\.com/ping/)[\w-]+"),
    ),
    Shape(  # tokens that their makers begin with a name, so that they are found where they must not be
        (
            "hv",
            "gl",
            "xox",
            "xapp-",
            "sk-",
            "k_live_",
            "k_test_",
            "whsec_",
            "npm_",
            "pypi-",
            "sg.",
            "dckr_pat_",
            "tskey-",
            "gh",
            "shp",
        ),
        pattern(
            r"(?<![\w.-])(?:hv[sbr]\.|gl(?:pat|ptt|rt|dt|ft|soat|cbt)-|xox[abeoprs]-|xapp-|sk-(?:ant|proj)-"
            r"|[prs]k_(?:live|test)_|whsec_|npm_|pypi-|SG\.|dckr_pat_|tskey-|gh[our]_|shp(?:at|ss)_)[\w.=-]{16,}"
        ),
    ),
    Shape(
        ("private key",),
        pattern(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
            r"(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
        ),
    ),
    Shape(("md5",), pattern(r"\bmd5[0-9a-f]{32}\b")),  # pg_authid.rolpassword
    Shape(("scram-sha-256",), pattern(r"SCRAM-SHA-256\$[0-9]+:[^\s'\"]+")),
    Shape(
        ("-u ",),
        pattern(r"(?<=\s-u )(?!\d+:\d+(?!\S))(?:[^\s:'\"]+:[^\s'\"]+|'[^\s:']+:[^']+'|\"[^\s:\"]+:[^\"]+\")"),
    ),
    Shape(
        ("--user",),
        pattern(
            r"(?<=\s--user[= ])(?!\d+:\d+(?!\S))"
            r"(?:[^\s:'\"]+:[^\s'\"]+|'[^\s:']+:[^']+'|\"[^\s:\"]+:[^\"]+\")"
        ),
    ),
)
LED = (
    Shape(
        ("authorization",),
        pattern(
            r"(?i)(authorization[\"']?\s{0,9}:\s{0,9}[\"']?)(?!AWS4-)(?=[A-Za-z]*[0-9+/_=])[A-Za-z0-9._~+/=-]{8,}"
        ),
    ),
    Shape(  # words alone may tell what is the matter with it
        _MARKS_IN_OTHER_LANGUAGES,
        pattern(
            rf"(?i)((?<![^\W_])(?:{_IN_OTHER_LANGUAGES})[\"']?\s?(?:=|[:：](?=\s?[\"']?[^\s\"']{{0,99}}?[0-9+/_=!$#%&*]))"
            r"\s?[\"']?)[^\s\"',;]+"
        ),
    ),
    Shape(("identified",), pattern(r"(?i)(\bidentified\s+by\s+')[^']+")),  # MySQL's
    Shape(  # how csh and fish set a variable
        (
            "setenv",
            "set",
        ),
        pattern(
            r"(\b(?:setenv|set\s+-[a-zA-Z]*x[a-zA-Z]*)\s+\w*(?:PASS|SECRET|TOKEN|PWD|_KEY)\w*\s+)[^\s;]+"
        ),
    ),
    Shape(
        ("send",), pattern(r"(\bsend\s+(?:--\s+)?\\?[\"'])[^\"'\\\n]+(?=\\+r)")
    ),  # expect's answer to a prompt
    Shape(
        ("convertto-securestring",), pattern(r"(?i)(\bConvertTo-SecureString\s+(?:-String\s+)?)(?!-)[^\s]+")
    ),
    Shape(("/pass",), pattern(r"(?i)(\s/pass(?:word)?:)[^\s\"']+")),  # Windows' cmdkey, xfreerdp
    Shape(
        (
            "--auth",
            "--cred",
            "--userpass",
            "--login",
        ),
        pattern(
            r"(--(?:auth|creds?|credentials|userpass|login)[=\s][\"']?)(?!\S+:\d{1,5}(?!\w))[\w.@+-]+:[^\s\"'/:]+"
        ),
    ),
    Shape(
        ("sshpass",),
        pattern(r"(\bsshpass\s+(?:-[vVeh]\s+|-P\s?\S+\s+)*-p)\s*(?:\"[^\"]*+\"|'[^']*+'|[^\s'\"]+)"),
    ),
    Shape(  # 16 bytes or more in base64; no object's key, which has a folder, no identifier in capitals
        ("key",),
        pattern(
            r"(?i:((?<!public)(?<!host)[_-]?key[\"']?(?:\s?[=:]\s?|\s)[\"']?))"
            r"(?=[A-Za-z0-9+/_-]{0,99}[a-z])(?=[A-Za-z0-9+/_-]{0,99}[A-Z])(?=[A-Za-z0-9+/_-]{0,99}[0-9])"
            r"(?:[A-Za-z0-9+/_-]{20,}={1,2}|[A-Za-z0-9+_-]{32,}(?![\w/.]))"
        ),
    ),
    Shape(
        ("authorization",),
        pattern(
            r"(?i)(authorization[\"']?\s{0,9}[:=](?:\\?\s){0,9}\[?[\"']?(?:basic|bearer|token|api-?key|key|digest|negotiate"
            r"|aws|sharedkey(?:lite)?|oss|cos|obs|splunk|sso-key)(?:\\?\s)+)[^\s\"',]+"
        ),
    ),
    Shape(
        (
            "?",
            "&",
            ";",
        ),
        pattern(
            r"(?i)([?&;](?:sig|signature|sign|access_token|auth_token|token|key|apikey|api_key|routing_key|auth|secret|pass"
            r"|passwd|password|pwd)=)[^&\s'\"]+"
        ),
    ),
    Shape(("cookie:",), pattern(r"(?i)(\b(?:set-)?cookie:\s*)[^\s=]{1,100}=[^'\"\n]+")),
    Shape(
        (
            "<secret",
            "<session",
            "<security",
            "<password",
            "<accesskey",
        ),
        pattern(
            r"(?i)(<(?:secretaccesskey|secretkey|sessiontoken|securitytoken|password|accesskeysecret)>)[^<]+"
        ),
    ),
    Shape(("login",), pattern(r"(\blogin\s+\S+\s+password\s+)\S+")),  # netrc(5)
    Shape(  # a line of .pgpass, by itself or as the words of an echo
        (":",),
        pattern(
            r"(?m)((?:^|[\s'\"])[^\s:'\"]{1,255}:(?:\d{4,5}|\*):[^\s:]{1,63}:[^\s:]{1,63}:)"
            r"(?![\d\[]+\]?(?:\s|$))[^\s'\"]{3,}(?=[\"']?\s{0,9}(?:$|[>|;&]))"
        ),
    ),
    Shape(  # a parameter of a connection string that is encoded
        ("3d",),
        pattern(
            rf"(?i)((?:passw(?:or)?d|passphrase|secret|token|pwd|sig|signature|(?:account|storage|secret)_?key|(?<![a-z])pass)"
            rf"{_ENCODED}3d)(?:(?!{_ENCODED}(?:20|26|3b))[^\s&'\";+])+"
        ),
    ),
    Shape(
        ("password",), pattern(r"(?i)(\bpassword\s+E')(?:[^'\\]|\\.|'')+")
    ),  # an escape string, PostgreSQL's
    Shape(("password",), pattern(r"(?i)(\bpassword\s+\$\$)[^$]+")),
    Shape(
        ("pgp_sym_",), pattern(r"(?i)(\bpgp_sym_(?:en|de)crypt(?:_bytea)?\s?\([^;\n']{1,300},\s{0,9}')[^']+")
    ),
    Shape(
        ("pass ",), pattern(r"((?:---> |> |\bquote )PASS )(?!XXXX)\S+")
    ),  # ftp, as its clients tell what they send
    Shape(
        (
            "akia",
            "asia",
            "do00",
        ),
        pattern(r"\b((?:AKIA|ASIA|DO00)[A-Z0-9]{16}:)[A-Za-z0-9/+]{40,43}(?![\w/+])"),
    ),  # s3fs' file
    Shape(
        (
            "secret_access_key",
            "aws_session_token",
            "client_secret",
            "secret_key",
            "pass",
        ),
        pattern(
            r"(\b(?:(?i:(?:aws_)?secret_access_key|aws_session_token|client_secret|secret_key)|pass|password2?)\s+)"
            r"(?=[A-Za-z]*[0-9+/_=])(?![^\s=]*[:=(])[^\s'\"]{8,}"
        ),
    ),  # `rclone config create r s3 secret_access_key X`, `aws configure set`
)
USERLIST = pattern(r"(?m)^([ \t]*+\"[^\"\n]*\" )\"[^\"\n]*\"(?=[ \t]*$)")
"""A whole line of pgbouncer's userlist.txt; the same two words at the end of a command are arguments."""

HINTS = (
    "_v1_", "bearer ", "basic ", "://", "signature=", "md5", "scram-", '" "', "authorization", "cookie",
    "pwd=", "sig=", "auth=", "aiza", "eyj", "github_pat", ":5432:", ":*:", "hvs.", "hvb.", "hvr.", "glpat-",
    "glptt-", "glrt-", "gldt-", "glft-", "glsoat-", "glcbt-", "xox", "xapp-", "sk-ant-", "sk-proj-",
    "k_live_", "k_test_", "whsec_", "npm_", "pypi-", "sg.",
    "dckr_pat_", "tskey-", "ghp_", "ghs_", "gho_", "ghu_",
    "ghr_", "shpat_", "shpss_", "identified", "kennwort", "contrase", "senha", "пароль", "パスワード", "密码",
    "密碼", "비밀번호", "hasło", "wachtwoord", "lösenord", "heslo", "şifre", "parola", "pw=",
    "%3d", "%40", "%25", "pgp_sym", "akia", "asia", "do00",
    'send "', "send '", "send -- ", 'send \\"',
)  # fmt: skip
"""Every one of them contains one of these in lower case, or what gives a secret away by its name."""
