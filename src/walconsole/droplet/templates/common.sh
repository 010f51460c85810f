PATH=@PATH@
LC_ALL=C
HOME=/nonexistent
export PATH LC_ALL HOME
# A known environment: PostgreSQL's is nearly empty, a login's or cron's may be anything. AWS_CA_BUNDLE makes
# rclone 1.60 fail, RCLONE_* would override the configuration file, PG* would lead psql elsewhere.
for variable in $(env | sed -nE 's/^((AWS_|RCLONE_|PG)[A-Za-z0-9_]*)=.*/\1/p'); do
    unset "$variable"
done@TRUST@

# Most of what a short run of rclone costs is its start. Half of that is a table of how wide each character is on a
# terminal (TCELL_MINIMIZE: not now), and collecting garbage before there is any worth it (GOGC, in bounded()).
TCELL_MINIMIZE=1
export TCELL_MINIMIZE

me=@ME@
config=@RCLONE_CONFIG@

say() { printf '%s: %s\n' "$me" "$1" >&2; }
fail() { say "$2"; exit "$1"; }

# bounded SECONDS ARGUMENTS...: rclone, one try. In the foreground, so that what ends this script ends rclone.
bounded() {
    bound=$1
    shift
    GOGC=400 timeout --foreground -k 5 "$bound" rclone "$@" --config "$config" --log-level ERROR --s3-no-check-bucket \
        --s3-upload-cutoff 4G --retries 1 --low-level-retries 1 --contimeout @IDLE_TIMEOUT_S@s --timeout @IDLE_TIMEOUT_S@s
}

# reason STATUS OUTPUT: why rclone failed, on one line, without the query of a signed address. What is too long loses
# its middle: rclone's newer releases begin with what was asked, and end with the cause.
reason() {
    case $1 in
        124 | 137) echo "rclone was ended, by the time limit or by a signal" ;;
        126 | 127) echo "rclone (or timeout) cannot be run: is it installed?" ;;
        *)
            printf '%s\n' "$2" |
                awk '/^[0-9]+\/[0-9]+\/[0-9]+ / { sub(/^[^ ]+ [^ ]+ /, ""); text = "" }
                    { text = text " " $0 } END { print "rclone says:" text }' |
                sed -e 's/?[^" ]*//g' -e 's/Attempt 1\/1 failed with 1 errors and: //' \
                    -e 's/exceeded maximum number of attempts, 1, //' |
                tr -s '\t ' ' ' | tr -cd '\40-\176\n' |
                awk '{ n = length($0); print (n > 400 ? substr($0, 1, 180) " ... " substr($0, n - 214) : $0) }'
            ;;
    esac
}
