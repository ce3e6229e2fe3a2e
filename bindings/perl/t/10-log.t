use strict;
use warnings;

use lib 't/lib';
use Config;
use Corpus;
use Test::More;

BEGIN {
    if ($Config{useithreads}) {
        require threads;
    }
}
use Postfix::QueueWatch;

my $spool = Corpus::spool();
rename "$spool/corrupt", "$spool/elsewhere" or die "$!\n";
open my $file, '>', "$spool/corrupt" or die "$!\n";
close $file;
my %where = (queue_directory => $spool, now => $Corpus::NOW);

my @records;
Postfix::QueueWatch->log_to(sub { push @records, [@_]; return }, 'debug');
Postfix::QueueWatch->scan(%where);
my ($damaged) = grep { $_->[2] =~ /cannot list .*corrupt: not a directory/ } @records;
ok($damaged, 'what could not be read is logged');
like($damaged->[0], qr/\A(?:debug|info|warn)\z/, 'with a level');
like($damaged->[1], qr/\Aqueuewatch/,            'and the part of the library');

@records = ();
Postfix::QueueWatch->log_to(sub { push @records, [@_]; return }, 'error');
Postfix::QueueWatch->scan(%where);
is(scalar @records, 0, 'what is below the level is not made');

# The function may use the module, and close what is being read.
my $inner = 0;
Postfix::QueueWatch->log_to(
    sub {
        return if $inner++;
        is(Postfix::QueueWatch->scan(%where)->measure('hold.messages'), 7, 'a scan within the log function');
    },
    'debug'
);
Postfix::QueueWatch->scan(%where);
cmp_ok($inner, '>', 1, 'which logs, too');

my $cursor;
Postfix::QueueWatch->log_to(undef);
$cursor = Postfix::QueueWatch->scan(%where)->messages('active');
Postfix::QueueWatch->log_to(sub { $cursor->close if $cursor; return }, 'trace');
my $row = eval { $cursor->next };
ok(defined $row || ref $@, 'a cursor that its own log function closes gives a row or an exception');

# What it dies of comes out of the call that logged, unless that fails by itself.
Postfix::QueueWatch->log_to(sub { die "from the log\n" }, 'debug');
ok(!eval { Postfix::QueueWatch->scan(%where); 1 }, 'a log function dies');
is($@, "from the log\n", 'and that comes out');
my @warnings;
{
    local $SIG{__WARN__} = sub { push @warnings, @_; return };
    Postfix::QueueWatch->log_to(sub { die "from the log\n" }, 'trace');
    ok(!eval { Postfix::QueueWatch->scan(queue_directory => '/nonexistent'); 1 }, 'a call that fails');
    isa_ok($@, 'Postfix::QueueWatch::Error', 'what comes out');
}

# Another interpreter has no log function, and may set one.
if ($Config{useithreads}) {
    @records = ();
    Postfix::QueueWatch->log_to(sub { push @records, [@_]; return }, 'debug');
    my $theirs = threads->create(
        sub {
            Postfix::QueueWatch->scan(%where);
            my $before = @records;
            my $own    = 0;
            Postfix::QueueWatch->log_to(sub { $own++; return }, 'debug');
            Postfix::QueueWatch->scan(%where);
            return [$before, scalar @records, $own];
        }
    )->join;
    is_deeply([@{$theirs}[0, 1]], [0, 0], q{a new thread does not use its parent's function});
    cmp_ok($theirs->[2], '>', 0, 'but its own');
    is(scalar @records, 0, 'and its parent hears nothing of that');
}
Postfix::QueueWatch->log_to(undef);
@records = ();
Postfix::QueueWatch->scan(%where);
is(scalar @records, 0, 'undef ends it');

done_testing();
