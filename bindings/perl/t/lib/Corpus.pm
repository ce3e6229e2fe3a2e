package Corpus;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);

our $NOW  = 1795461304;
# A distribution has a part of the checkout's tree in t/data.
my $folder = dirname(abs_path(__FILE__));
our $ROOT = -d "$folder/../data" ? abs_path("$folder/../data") : abs_path("$folder/../../../..");

# The spool of tests/corpus/short-mixed, in a folder that is removed at the end.
sub spool {
    my $folder  = tempdir(CLEANUP => 1);
    my $archive = "$ROOT/tests/corpus/short-mixed/spool.tar.xz";
    system('tar', '-xpJf', $archive, '-C', $folder) == 0 or die "cannot unpack $archive\n";
    return "$folder/spool";
}

# Resident memory in KiB.
sub resident {
    open my $statm, '<', '/proc/self/statm' or die "no /proc: $!\n";
    my (undef, $pages) = split ' ', <$statm>;
    close $statm;
    return $pages * 4;
}

1;
