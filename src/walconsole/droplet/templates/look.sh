# look_up SECONDS TARGET: which of the objects named on standard input are there. `answer` has a line for each:
# NAME;BYTES;MD5. A HEAD for each, no listing. The status is rclone's: with 0, what is not in `answer` is not there
# (or the bucket is not).
look_up() {
    answer=$(bounded "$1" lsf "$2" --files-from - --no-traverse --format psh --hash MD5 --separator ';' 2>&1) || return
    answer=$(printf '%s\n' "$answer" | grep -E '^[0-9A-Za-z.]+;[0-9]+;[0-9a-f]*$') || :    # and no notices
}

# look TARGET OBJECTS...: the same for these.
look() {
    looked=$1
    shift
    look_up 60 "$looked" <<EOF
$(printf '%s\n' "$@")
EOF
}
