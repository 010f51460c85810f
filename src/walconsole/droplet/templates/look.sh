# look TARGET OBJECTS...: which of them are there, one line each: NAME;BYTES;MD5. A HEAD for each, no listing.
# The status is rclone's: with 0, what is not listed is not there (or the bucket is not).
look() {
    looked=$1
    shift
    answer=$(printf '%s\n' "$@" | bounded 60 lsf "$looked" --files-from - --no-traverse \
        --format psh --hash MD5 --separator ';' 2>&1) || return
    answer=$(printf '%s\n' "$answer" | grep -E '^[0-9A-Za-z.]+;[0-9]+;[0-9a-f]*$') || :    # and no notices
}
