"""Failure modes of the archive command itself."""

from walconsole.domain.standing.page import Page

PAGES = (
    Page(
        "command-not-found",
        "the archive command's program is not found",
        symptom=(
            "The log has `archive command failed with exit code 127` as FATAL, and `not found` above "
            "it. failed_count stays where it is."
        ),
        cause=(
            "A typo, a program that was never installed, or a PATH that the server does not have: "
            "PostgreSQL runs the command by /bin/sh with the postmaster's own environment."
        ),
        signal=(
            "Each program that the command names is looked for as the server's user, with the "
            "postmaster's PATH; the log's exit code."
        ),
        fix=(
            "Name it by its absolute path, or install it; reload.\n\n```\n"
            "runuser -u postgres -- sh -c 'command -v PROGRAM'\n"
            "tr '\\0' '\\n' </proc/POSTMASTER/environ | grep ^PATH\n```"
        ),
        source="pgbackrest#346",
    ),
    Page(
        "command-not-executable",
        "the server's user may not run the archive command",
        symptom="The log has `exit code 126` as FATAL. failed_count stays where it is.",
        cause=(
            "The mode lacks x, a folder above it may not be entered, the file system is mounted "
            "noexec, or the interpreter of its first line is not there (or the line ends in a "
            "carriage return)."
        ),
        signal="The file is looked at as the server's user; the log's exit code.",
        fix=("```\nchmod 0755 /usr/local/bin/NAME-pg-archive\nnamei -l /usr/local/bin/NAME-pg-archive\n```"),
        source="POSIX, Shell Command Language, 2.8.2",
    ),
    Page(
        "permission",
        "the archive command is denied a file",
        symptom="`permission denied` in the command's own words.",
        cause=(
            "The target, a temporary folder or a log file belongs to somebody else (often root, "
            "after a test by hand), or SELinux does not allow it."
        ),
        signal="The words in the log, while the program can be run and its configuration be read.",
        fix=(
            "See the file as the server's user sees it, and give it back.\n\n```\n"
            "runuser -u postgres -- ls -lZ FILE\nchown postgres: FILE\nrestorecon -v FILE\n```"
        ),
        source="edb-ansible#151",
    ),
    Page(
        "rclone-config-unreadable",
        "rclone does not find its configuration",
        symptom="`didn't find section in config file`, `Config file not found` or `permission denied`.",
        cause=(
            "--config points to where the server's user may not read (/root is 0700), nothing names "
            "it and HOME is another one, or the section is called otherwise."
        ),
        signal=(
            "The configuration that the command or its script names is opened as the server's user; "
            "its sections are compared with the remotes that the command uses."
        ),
        fix=(
            "Keep it outside /root, root:postgres with mode 0640, and name it.\n\n```\n"
            "chown root:postgres /etc/rclone-NAME.conf\nchmod 0640 /etc/rclone-NAME.conf\n"
            "runuser -u postgres -- env -i rclone --config /etc/rclone-NAME.conf listremotes\n```"
        ),
        never="Do not make it readable for everybody: it holds the key's secret.",
        source="rclone#747, #5226",
    ),
    Page(
        "archiver-crash-loop",
        "the archiver dies and starts again",
        symptom=(
            "FATAL in the log again and again; failed_count and last_failed_time do not move, .ready "
            "files pile up."
        ),
        cause=(
            "The command exits above 125 or dies by a signal (an exit of 128 + N is its shell's word "
            "for signal N: 137 is SIGKILL, often the kernel's out-of-memory killer). PostgreSQL then "
            "ends the archiver and starts it anew."
        ),
        signal="The log lines since the last success.",
        fix=(
            "Let the command end with 1 to 125 on every failure. For 137 look at `dmesg` and at the "
            "unit's memory limit."
        ),
        never="Do not watch failed_count alone: it does not count this.",
        source="pgbackrest#608; shell_archive.c",
    ),
    Page(
        "command-hangs",
        "the archive command never ends",
        symptom="Neither successes nor failures; .ready files pile up.",
        cause=(
            "PostgreSQL waits for ever. Usual causes: a connection that nobody answers without a "
            "time-out, a prompt, a stuck network file system."
        ),
        signal=(
            "The age of the processes below the archiver, what they wait for (/proc/PID/wchan), "
            "their open connections."
        ),
        fix=(
            "End it (PostgreSQL tries the segment again), and put the command under a limit.\n\n```\n"
            "kill PID\n"
            'archive_command = \'timeout -k 5 120 /usr/local/bin/NAME-pg-archive "%p" "%f"\'\n```'
        ),
        never="Do not kill the postmaster for it.",
        source="wal-g#358; spilo#563",
    ),
    Page(
        "disk-full",
        "no space left for what archiving needs",
        symptom="`No space left on device` in the log.",
        cause=(
            "The file system of the command's temporary files, of its log, or of pg_wal itself is "
            "full (or has no inodes)."
        ),
        signal="The line in the log since the last success; df of pg_wal.",
        fix=(
            "Find which one, and make room.\n\n```\ndf -h; df -i\n"
            "du -xh --max-depth=2 / | sort -h | tail\n```"
        ),
        never="Never delete anything in pg_wal: the server cannot start without it.",
        source="openlibrary#13549",
    ),
    Page(
        "log-unreadable",
        "the log that would say why cannot be read",
        symptom="Archiving is in trouble, and the console cannot quote the command's own words.",
        cause="The SSH user may not read the log, or it is where nobody looked.",
        signal=(
            "The log's place (current_logfiles, pg_lsclusters, the postmaster's standard error, the "
            "journal) and why it cannot be read."
        ),
        fix="sudo = true in the profile, or a user in group adm.",
    ),
)
