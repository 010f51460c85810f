# pgBackRest's configuration on the droplet, in POSIX sh: a text with places for the keys, and the keys from rclone's
# configuration. They go through pipes alone.
#
# Prepended: files.sh; template (base64), keys (rclone's configuration), path (the file), user (whose group reads it).

# filled: the text with the keys of the sections that it names. Fails where one is missing.
filled() {
    printf '%s\n' "$template" | base64 -d | awk '
        function trim(text) { gsub(/^[ \t]+|[ \t\r]+$/, "", text); return text }
        part != 2 {
            line = trim($0)
            if (line ~ /^\[.*\]$/) { section = substr(line, 2, length(line) - 2); next }
            at = index(line, "=")
            if (line ~ /^[#;]/ || !at) next
            name = trim(substr(line, 1, at - 1))
            if (name == "access_key_id" || name == "secret_access_key") found[name, section] = trim(substr(line, at + 1))
            next
        }
        match($0, /=@(id|secret) .*@$/) {
            place = substr($0, RSTART + 2, RLENGTH - 3)
            named = substr(place, index(place, " ") + 1)
            value = found[place ~ /^id / ? "access_key_id" : "secret_access_key", named]
            if (value == "") lacking = 1
            $0 = substr($0, 1, RSTART) value
        }
        { print }
        END { exit lacking }
    ' "$keys" part=2 -
}

# hidden: standard input without what could be a secret.
hidden() { sed -E 's/^([^=#]*(key|secret|token|pass)[^=]*)=.*/\1=(not shown)/'; }

# seen: a line `same`, `differs`, `rights` (whose it is, or its mode) or `absent`, then what is there, without its keys.
seen() (
    LC_ALL=C
    wanted=$(filled && echo .) || refuse "a section of $keys lacks access_key_id or secret_access_key"
    now=$(read_out "$path")
    case $? in
        0) ;;
        3)
            echo absent
            exit 0
            ;;
        *)
            printf '%s\n' "$now"
            exit 4
            ;;
    esac
    head=${now%%"
"*}
    text=$(printf '%s\n' "$now" | tail -n +2 | base64 -d && echo .)
    # shellcheck disable=SC2086  # words
    set -- $head
    word=same
    if [ "$text" != "$wanted" ]; then
        word=differs
    elif [ "$(printf %o $((0$1 & 07777)))" != 640 ]; then
        word=rights
    elif [ "$(id -u)" = 0 ] && [ "$2 $3" != "root $(id -gn -- "$user")" ]; then
        word=rights
    fi
    printf '%s\n' "$word"
    printf '%s' "${text%.}" | hidden
)

# place: write it.
place() (
    LC_ALL=C
    wanted=$(filled && echo .) || refuse "a section of $keys lacks access_key_id or secret_access_key"
    wanted=${wanted%.}
    printf %s "$wanted" | put_in "$path" 0640 root "$(id -gn -- "$user")" "${#wanted}"
)
