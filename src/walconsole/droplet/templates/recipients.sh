# recipients_fault FILE: why it is no file of age's public keys, in words; nothing where it is one. No line of it is ever
# repeated: one may be a secret key that somebody mistook for its public half.
recipients_fault() {
    if [ ! -f "$1" ] || [ ! -r "$1" ]; then
        echo "it is no file that $(id -un) can read"
        return
    fi
    awk '{ sub(/\r$/, "") }
        toupper($0) ~ /AGE-SECRET-KEY|AGE-PLUGIN-|PRIVATE KEY/ { if (!secret) secret = NR; next }
        /^[ \t]*(#.*)?$/ { next }
        /^(age1[0-9a-z]+|ssh-(ed25519|rsa) [A-Za-z0-9+\/=]+( .*)?)$/ { keys++; next }
        { if (!other) other = NR }
        END {
            if (secret) print "line " secret " holds a secret key, which must not be on this host: take it away, and make a new pair"
            else if (other) print "line " other " is no public key"
            else if (!keys) print "it holds no public key"
        }' "$1"
}
