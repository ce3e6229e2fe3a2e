use strict;
use warnings;

use Test::More tests => 3;

use_ok('Postfix::QueueWatch');
like(Postfix::QueueWatch->library_version, qr/\A\d+\.\d+\.\d+\z/, 'the version of the library');
my ($major, $minor, $patch) = split /[.]/, Postfix::QueueWatch->library_version;
is($Postfix::QueueWatch::VERSION, sprintf('%d.%03d%03d', $major, $minor, $patch), 'is that of the module');
