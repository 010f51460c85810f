"""Failure modes of looking itself: what cannot be seen is said."""

from walconsole.domain.standing.page import Page

PAGES = (
    Page(
        "ssh-lost",
        "the droplet cannot be reached over SSH",
        symptom="Everything but the buckets is stale.",
        cause="The network, the droplet, sshd, or the key.",
        signal="The SSH connection.",
        fix="The console goes on trying by itself; `r` tries at once.",
    ),
    Page(
        "postgres-unreachable",
        "PostgreSQL does not answer",
        symptom="The host answers; the server does not, or refuses the console.",
        cause="It is down, starting, out of connections, or the role may not log in.",
        signal="The connection through SSH, as the server's OS user.",
        fix=(
            "Look at its log and its unit.\n\n```\npg_lsclusters\n"
            "journalctl -u postgresql@VERSION-NAME -n 50\n```"
        ),
    ),
    Page(
        "host-unreadable",
        "the host's facts cannot be read",
        symptom="Panes of the droplet say n/a.",
        cause="sudo wants a password, a tool is missing, or a permission.",
        signal="The answer of the shell.",
        fix="As the finding says; sudo = true in the profile needs NOPASSWD.",
    ),
    Page(
        "privileges",
        "the database role may not see everything",
        symptom="Some values say n/a.",
        cause="pg_monitor (or a part of it) is not granted.",
        signal="What the server refuses.",
        fix="```\nGRANT pg_monitor TO role;\n```",
    ),
)
