# hashed: the SHA-256 of standard input, in hexadecimal, and a word. OpenSSL's is up to six times as fast as coreutils' and
# Perl's (it asks the processor for it), and is taken where it is there and is right about what is known.
openssl=''
case $(printf abc | openssl dgst -sha256 -r 2>/dev/null) in
    ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\ *) openssl=1 ;;
esac
hashed() { if [ -n "$openssl" ]; then openssl dgst -sha256 -r; else sha256sum; fi; }
