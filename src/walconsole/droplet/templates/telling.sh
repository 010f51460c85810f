# -- What a run tells of itself: the status, the journal, its last word.

plain() { printf '%s' "$1" | tr -s '\t\n ' ' ' | tr -cd '\40-\176' | tr -d '\\"' | cut -c -700; }

# tell STATE [EXIT MESSAGE]: to who watches: one object, replaced whole.
tell() {
    {
        printf '{"format":1,"id":"%s","state":"%s","pid":%s,"began":%s,"at":%s,' "$id" "$1" $$ "$began" "$(date +%s)"
        printf '"expected_bytes":%s,"read_bytes":%s,' "${expected:-null}" "${read_bytes:-null}"
        printf '"exit":%s,"message":"%s"}\n' "${2:-null}" "$(plain "${3:-}")"
    } 2>/dev/null >"$state/.status.$$" && mv -f -- "$state/.status.$$" "$state/status.json"
}

log() { logger -t "$tag" -p "daemon.$1" -- "$2" 2>/dev/null || say "the journal takes no messages (logger failed)"; }

# end STATUS MESSAGE: the last word.
end() {
    trap '' HUP INT QUIT TERM
    say "$2"
    case $1 in
        0)
            kind=taken level=info
            case $instead in '' | 'in turn'*) ;; *) level=warning ;; esac
            ;;
        5) kind=taken level=warning ;;
        *) kind=failed level=warning ;;
    esac
    log $level "base backup: $2"
    tell $kind "$1" "$2" || say "$state/status.json cannot be written"
    exit "$1"
}
