"""Secrets that their form gives away, whatever command or message they stand in: one pattern a convention."""

from walconsole.domain.patterns import pattern

_IN_OTHER_LANGUAGES = (
    r"pass?wort|kennwort|contrase.{1,2}a|mot[ _-]de[ _-]passe|senha|пароль|パスワード|密码|密碼"
    r"|비밀번호|hasło|wachtwoord|lösenord|heslo|şifre|parola"
)
"""A password as German, Spanish, French, Portuguese, Russian, Japanese, Chinese, Korean, Polish, Dutch,
Swedish, Czech, Turkish and Italian call it."""

_ENCODED = r"%(?:25){0,2}"
"""A percent sign in a URL, which may have been encoded again."""

SHAPES = (
    pattern(r"\bdo[opr]_v1_[0-9a-f]{32,}\b"),  # DigitalOcean API tokens
    pattern(r"\b(?:gh[ps]_|github_pat_)[A-Za-z0-9_-]{16,}"),
    pattern(r"\bAIza[0-9A-Za-z_-]{30,}"),  # Google API keys
    pattern(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"),  # JSON Web Tokens
    pattern(r"(?i)\bAGE-(?:SECRET-KEY|PLUGIN)(?:-[A-Z0-9]{1,20})?-1[0-9A-Za-z]+"),
    pattern(  # Vault's before 1.10: a service token, and a batch or recovery token
        r"(?<![\w./-])(?:s\.(?:(?=[0-9A-Za-z]{0,23}[A-Z])(?=[0-9A-Za-z]{0,23}[a-z])[0-9A-Za-z]{24}(?!\w)"
        r"|(?=[0-9A-Za-z]{0,40}[0-9])(?=[0-9A-Za-z]{0,40}[a-z])[0-9A-Za-z]{20,40}(?!\w))"
        r"(?:\.[0-9A-Za-z]{5}(?!\w))?|[br]\.[A-Za-z0-9_-]{60,})"
    ),
    pattern(  # user:password in a URL that is encoded itself, perhaps twice
        rf"(?i)(?:(?<=%3a%2f%2f)|(?<=%253a%252f%252f))(?:(?!{_ENCODED}(?:2f|3a|40))[^\s&'\"]){{1,200}}{_ENCODED}3a"
        rf"(?:(?!{_ENCODED}(?:2f|40))[^\s&'\"]){{1,300}}(?={_ENCODED}40)"
    ),
    pattern(r"(?i)(?<=bearer )(?=[A-Za-z._~+/=-]{0,200}[0-9]|\S{20})[A-Za-z0-9._~+/=-]{8,}"),
    pattern(r"(?<=://)[^\s/?#:'\"]*+:[^\s/?#'\"]*(?=@)"),  # user:password in a URL
    pattern(r"(?<=://)[^\s/?#:@'\"]*+:(?!\d{1,5}/)[^\s?#@'\"]{1,200}+(?=@)"),  # with a slash in the password
    pattern(r"(?<=://)[A-Za-z0-9_-]{20,}(?=@)"),  # a token alone
    pattern(
        r"(?<![\w@:/.-])[\w.+-]{1,64}+:(?!\d{1,3}(?:\.\d|@))[^\s@/:'\",;()]{1,64}(?=@(?!sha\d)[\w-]+[.:])"
    ),
    pattern(
        r"(?<=[?&])(?i:x-(?:amz|goog|ms|oss|cos|obs)-(?:signature|credential|security-token))=[^&\s'\"]+"
    ),
    pattern(r"(?i)(?<=signature=)[0-9a-f]{32,}"),
    pattern(r"(?<=hooks\.slack\.com/services/)[\w/]+"),
    pattern(r"(?<=/api/webhooks/)\d{10,}/[\w-]+"),  # Discord's
    pattern(r"(?<=webhook\.office\.com/webhookb2/)[^\s'\"]+"),
    pattern(r"(?<=api\.telegram\.org/bot)[\w:-]+"),
    pattern(r"(?<=hc-ping\.com/)(?!ping/)[\w-]+(?:/[\w-]+)?|(?<=hc-ping\.com/ping/)[\w-]+"),
    pattern(  # tokens that their makers begin with a name, so that they are found where they must not be
        r"(?<![\w.-])(?:hv[sbr]\.|gl(?:pat|ptt|rt|dt|ft|soat|cbt)-|xox[abeoprs]-|xapp-|sk-(?:ant|proj)-"
        r"|[prs]k_(?:live|test)_|whsec_|npm_|pypi-|SG\.|dckr_pat_|tskey-|gh[our]_|shp(?:at|ss)_)[\w.=-]{16,}"
    ),
    pattern(
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    ),
    pattern(r"\bmd5[0-9a-f]{32}\b"),  # pg_authid.rolpassword
    pattern(r"SCRAM-SHA-256\$[0-9]+:[^\s'\"]+"),
    pattern(r"(?<=\s-u )(?!\d+:\d+(?!\S))(?:[^\s:'\"]+:[^\s'\"]+|'[^\s:']+:[^']+'|\"[^\s:\"]+:[^\"]+\")"),
    pattern(
        r"(?<=\s--user[= ])(?!\d+:\d+(?!\S))(?:[^\s:'\"]+:[^\s'\"]+|'[^\s:']+:[^']+'|\"[^\s:\"]+:[^\"]+\")"
    ),
)
LED = (
    pattern(
        r"(?i)(authorization[\"']?\s{0,9}:\s{0,9}[\"']?)(?!AWS4-)(?=[A-Za-z]*[0-9+/_=])[A-Za-z0-9._~+/=-]{8,}"
    ),
    pattern(  # words alone may tell what is the matter with it
        rf"(?i)((?<![^\W_])(?:{_IN_OTHER_LANGUAGES})[\"']?\s?(?:=|[:：](?=\s?[\"']?[^\s\"']{{0,99}}?[0-9+/_=!$#%&*]))"
        r"\s?[\"']?)[^\s\"',;]+"
    ),
    pattern(r"(?i)(\bidentified\s+by\s+')[^']+"),  # MySQL's
    pattern(  # how csh and fish set a variable
        r"(\b(?:setenv|set\s+-[a-zA-Z]*x[a-zA-Z]*)\s+\w*(?:PASS|SECRET|TOKEN|PWD|_KEY)\w*\s+)[^\s;]+"
    ),
    pattern(r"(\bsend\s+(?:--\s+)?\\?[\"'])[^\"'\\\n]+(?=\\+r)"),  # expect's answer to a prompt
    pattern(r"(?i)(\bConvertTo-SecureString\s+(?:-String\s+)?)(?!-)[^\s]+"),
    pattern(r"(?i)(\s/pass(?:word)?:)[^\s\"']+"),  # Windows' cmdkey, xfreerdp
    pattern(
        r"(--(?:auth|creds?|credentials|userpass|login)[=\s][\"']?)(?!\S+:\d{1,5}(?!\w))[\w.@+-]+:[^\s\"'/:]+"
    ),
    pattern(r"(\bsshpass\s+(?:-[vVeh]\s+|-P\s?\S+\s+)*-p)\s*(?:\"[^\"]*+\"|'[^']*+'|[^\s'\"]+)"),
    pattern(  # 16 bytes or more in base64; no object's key, which has a folder, no identifier in capitals
        r"(?i:((?<!public)(?<!host)[_-]?key[\"']?(?:\s?[=:]\s?|\s)[\"']?))"
        r"(?=[A-Za-z0-9+/_-]{0,99}[a-z])(?=[A-Za-z0-9+/_-]{0,99}[A-Z])(?=[A-Za-z0-9+/_-]{0,99}[0-9])"
        r"(?:[A-Za-z0-9+/_-]{20,}={1,2}|[A-Za-z0-9+_-]{32,}(?![\w/.]))"
    ),
    pattern(
        r"(?i)(authorization[\"']?\s{0,9}[:=](?:\\?\s){0,9}\[?[\"']?(?:basic|bearer|token|api-?key|key|digest|negotiate"
        r"|aws|sharedkey(?:lite)?|oss|cos|obs|splunk|sso-key)(?:\\?\s)+)[^\s\"',]+"
    ),
    pattern(
        r"(?i)([?&;](?:sig|signature|sign|access_token|auth_token|token|key|apikey|api_key|routing_key|auth|secret|pass"
        r"|passwd|password|pwd)=)[^&\s'\"]+"
    ),
    pattern(r"(?i)(\b(?:set-)?cookie:\s*)[^\s=]{1,100}=[^'\"\n]+"),
    pattern(
        r"(?i)(<(?:secretaccesskey|secretkey|sessiontoken|securitytoken|password|accesskeysecret)>)[^<]+"
    ),
    pattern(r"(\blogin\s+\S+\s+password\s+)\S+"),  # netrc(5)
    pattern(  # a line of .pgpass, by itself or as the words of an echo
        r"(?m)((?:^|[\s'\"])[^\s:'\"]{1,255}:(?:\d{4,5}|\*):[^\s:]{1,63}:[^\s:]{1,63}:)"
        r"(?![\d\[]+\]?(?:\s|$))[^\s'\"]{3,}(?=[\"']?\s{0,9}(?:$|[>|;&]))"
    ),
    pattern(  # a parameter of a connection string that is encoded
        rf"(?i)((?:passw(?:or)?d|passphrase|secret|token|pwd|sig|signature|(?:account|storage|secret)_?key|(?<![a-z])pass)"
        rf"{_ENCODED}3d)(?:(?!{_ENCODED}(?:20|26|3b))[^\s&'\";+])+"
    ),
    pattern(r"(?i)(\bpassword\s+E')(?:[^'\\]|\\.|'')+"),  # an escape string, PostgreSQL's
    pattern(r"(?i)(\bpassword\s+\$\$)[^$]+"),
    pattern(r"(?i)(\bpgp_sym_(?:en|de)crypt(?:_bytea)?\s?\([^;\n']{1,300},\s{0,9}')[^']+"),
    pattern(r"((?:---> |> |\bquote )PASS )(?!XXXX)\S+"),  # ftp, as its clients tell what they send
    pattern(r"\b((?:AKIA|ASIA|DO00)[A-Z0-9]{16}:)[A-Za-z0-9/+]{40,43}(?![\w/+])"),  # s3fs' file
    pattern(
        r"(\b(?:(?i:(?:aws_)?secret_access_key|aws_session_token|client_secret|secret_key)|pass|password2?)\s+)"
        r"(?=[A-Za-z]*[0-9+/_=])(?![^\s=]*[:=(])[^\s'\"]{8,}"
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
