use strict; use warnings; use Digest::SHA; use IPC::Open2;
my ($temp, $segment_bytes, $upon, $fast) = @ARGV;    # upon: timeline and start of what an incremental one builds upon
binmode $_ for *STDIN, *STDOUT;
fcntl $_, 1031, 1 << 20 for *STDIN, *STDOUT;    # F_SETPIPE_SZ, where the system knows it: fewer and larger pieces

sub put {    # all of it; print would do so in pieces of 8 KiB
    my ($to, $piece, $done) = (@_, 0);
    $done += syswrite($to, $piece, length($piece) - $done, $done) // die "what was read cannot be handed on: $!\n"
        while $done < length $piece;
}

my ($held, $at) = ("", 0);    # what was read, and how far it was taken
sub more {    # the next of the tar, which is handed on as it is; false at its end
    my $got = sysread STDIN, $held, 262144;
    die "cannot read: $!\n" unless defined $got;
    put(*STDOUT, $held) if $got;
    $at = 0;
    return $got;
}
sub get {    # so many bytes, piece by piece
    my ($left, $take) = @_;
    while ($left > 0) {
        $at < length $held or more() or die "the tar is cut off\n";
        my $piece = substr $held, $at, $left;
        $take->($piece);
        $at += length $piece;
        $left -= length $piece;
    }
}
sub whole { my $all = ""; get($_[0], sub { $all .= $_[0] }); return $all }
sub text { my ($field) = @_; $field =~ s/\0.*//s; return $field }
sub size_of {
    my ($field) = @_;
    return oct(text($field) =~ /([0-7]+)/ ? $1 : 0) unless ord($field) & 0x80;
    my $size = 0;
    $size = $size * 256 + $_ for unpack "C*", substr($field, 1);
    return $size;
}

# Of a file: takes its pieces, and has its SHA-256 when it is called with none. What is large goes to OpenSSL, where that
# is faster, in a process of its own.
sub digest {
    my ($size) = @_;
    my $own = Digest::SHA->new(256);
    return sub { return @_ ? $own->add($_[0]) : $own->hexdigest } unless $fast and $size >= 4 << 20;
    my $pid = open2(my $said, my $sent, qw(openssl dgst -sha256 -r));
    binmode $sent;
    return sub {
        return put($sent, $_[0]) if @_;
        close $sent or die "openssl cannot be asked: $!\n";
        my ($sum) = (<$said> // "") =~ /^([0-9a-f]{64}) /;
        waitpid $pid, 0;
        die "openssl ended with $?\n" if $? or not defined $sum;
        return $sum;
    };
}

my (%found, %kept, $bytes);
while (1) {
    my $head = whole(512);
    last if $head eq "\0" x 512;
    my $sum = unpack "%32C*", substr($head, 0, 148) . " " x 8 . substr($head, 156);
    die "the tar is damaged\n" unless $sum == oct text(substr $head, 148, 8);
    my ($name, $size, $type) = (text(substr $head, 0, 100), size_of(substr $head, 124, 12), substr($head, 156, 1));
    my $before = substr($head, 257, 5) eq "ustar" ? text(substr $head, 345, 155) : "";
    $name = "$before/$name" if length $before;
    next if $type =~ /[25]/;
    die "$name is in the tar as type $type\n" unless $type =~ /[0\0]/;
    die "$name is in the tar twice\n" if exists $found{$name};
    my $digest = digest($size);
    my $keep = $name =~ /^backup_(label|manifest)$/;
    $kept{$name} = "" if $keep;
    my ($part, $begins) = ($name =~ m{(^|/)INCREMENTAL\.[^/]*$}, "");
    get($size, sub {
        $digest->($_[0]);
        $kept{$name} .= $_[0] if $keep;
        $begins .= substr $_[0], 0, 4 if $part and length $begins < 4;
    });
    die "$name is in the tar, and this is a full backup\n" if $part and not $upon;
    die "$name does not begin as what changed of a file does\n" if $part and unpack("L", $begins) != 0xd3ae1f0d;
    whole(-$size % 512);
    $found{$name} = "$size " . $digest->();
    $bytes += $size;
}
do { die "something follows the tar's end\n" if substr($held, $at) =~ /[^\0]/ } while more();
close STDOUT or die "what was read cannot be handed on: $!\n";

my $manifest = $kept{backup_manifest};
die "the tar has no backup_manifest: the backup did not come to its end\n" unless defined delete $found{backup_manifest};
my ($body, $stated) = $manifest =~ /\A(.*\n)"Manifest-Checksum": "([0-9a-f]{64})"\}\n\z/s;
die "the manifest is damaged\n" unless defined $stated and Digest::SHA::sha256_hex($body) eq $stated;
my %escaped = (n => "\n", t => "\t", r => "\r", b => "\b", f => "\f");
my ($files, @ranges) = (0);
for (split /\n/, $body) {
    if (/^\{ "(Encoded-)?Path": "(.*?)", "Size": (\d+), .*"Checksum": "([0-9a-f]{64})" \},?$/) {
        my ($encoded, $name, $is) = ($1, $2, "$3 $4");
        if ($encoded) { $name = pack "H*", $name }
        else { $name =~ s/\\(?:u00([0-9a-f]{2})|(.))/defined $1 ? chr hex $1 : $escaped{$2} \/\/ $2/gie }
        my $was = delete $found{$name};
        die "$name is in the manifest, and not in the tar\n" unless defined $was;
        die "$name is not what the manifest says\n" unless $was eq $is;
        $files++;
    }
    elsif (/"Size": /) { die "a line of the manifest cannot be read: $_\n" }
    elsif (m{"Timeline": (\d+), "Start-LSN": "([0-9A-F]+)/([0-9A-F]+)", "End-LSN": "([0-9A-F]+)/([0-9A-F]+)"}) {
        push @ranges, [$1, (hex($2) << 32) + hex $3, (hex($4) << 32) + hex $5, "$4/$5"];
    }
}
die "$_ is in the tar, and not in the manifest\n" for sort keys %found;
die "the manifest names no WAL\n" unless @ranges;

my $label = $kept{backup_label} // "";
my ($start, $first) = $label =~ /^START WAL LOCATION: (\S+) \(file ([0-9A-F]{24})\)$/m or die "backup_label has no start\n";
my ($checkpoint) = $label =~ /^CHECKPOINT LOCATION: (\S+)$/m or die "backup_label has no checkpoint\n";
my ($from) = $label =~ /^INCREMENTAL FROM LSN: (\S+)$/m;
my ($of) = $label =~ /^INCREMENTAL FROM TLI: (\d+)$/m;
my $builds = defined $from && defined $of ? "$of $from" : "";
die "by its label it builds upon '$builds', not upon '$upon'\n" unless $builds eq $upon;
my ($timeline) = $label =~ /^START TIMELINE: (\d+)$/m or die "backup_label has no timeline\n";

my ($stop, @segments);
my $a_log = 4294967296 / $segment_bytes;
for (sort { $a->[1] <=> $b->[1] } @ranges) {
    my ($on, $from, $to, $words) = @$_;
    $stop = $words;
    for my $number (int($from / $segment_bytes) .. int(($to - 1) / $segment_bytes)) {
        push @segments, sprintf "%08X%08X%08X", $on, int($number / $a_log), $number % $a_log;
    }
}
die "the manifest's WAL does not begin with the label's\n" unless $segments[0] eq $first;
sub save {
    my ($name, @lines) = @_;
    open my $file, ">:raw", "$temp/$name" or die "$temp/$name cannot be written: $!\n";
    print $file @lines and close $file or die "$temp/$name cannot be written: $!\n";
}
save("backup_manifest", $manifest);
save("segments", map { "$_\n" } @segments);
save("facts", "timeline $timeline\nstart_lsn $start\nstart_wal $first\nstop_lsn $stop\nstop_wal $segments[-1]\n",
    "checkpoint_lsn $checkpoint\nfiles $files\nbytes $bytes\n");
