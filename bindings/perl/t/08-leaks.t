use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

# Flat memory: after a while a number of rounds more must not make the process grow.
sub flat {
    my ($what, $rounds, $work) = @_;
    $work->() for 1 .. $rounds / 10;
    my $before = Corpus::resident();
    $work->() for 1 .. $rounds;
    my $grown = Corpus::resident() - $before;
    cmp_ok($grown, '<', 1024, "$rounds $what: $grown KiB more");
    return;
}

my $spool = Corpus::spool();
# Something that cannot be read, for the log.
rename "$spool/corrupt", "$spool/elsewhere" or die "$!\n";
open my $file, '>', "$spool/corrupt" or die "$!\n";
close $file;
my %cheap = (queue_directory => $spool, measure => 'hold.recipients', readers => 1);

flat('scans', 10_000, sub { Postfix::QueueWatch->scan(%cheap); return });

my $q     = Postfix::QueueWatch->scan(queue_directory => $spool, now => $Corpus::NOW);
my $shape = Postfix::QueueWatch->shape(queue_directory => $spool, now => $Corpus::NOW);
flat(
    'rounds of everything',
    500,
    sub {
        $q->measure('hold.recipients');
        my @measure  = $q->measure('deferred.top_domain');
        my @rows     = ($q->problems, $q->reasons, $q->instances, $shape->rows('total'));
        my $verdict  = $q->check(critical => ['hold.messages=1']);
        my @findings = $verdict->findings;
        my $text     = $verdict->output(2) . $verdict->state . $verdict->json . $verdict->summary . $verdict->perfdata;
        $text .= $q->json . $q->state . $shape->text('deferred') . $shape->json('hold');
        my $cursor = $q->messages('hold');
        while (my $message = $cursor->next) { }
        $cursor->close;
        return;
    }
);

flat(
    'errors',
    10_000,
    sub {
        for my $fails (
            sub { $q->measure('nonsense') },
            sub { my @row = $q->measure("\x{263a}") },
            sub { $q->check(critical => 'hold.messages=5:1') },
            sub { $q->messages('nosuch') },
            sub { my @rows = $shape->rows('nosuch') },
            sub { Postfix::QueueWatch->scan(queue_directory => '/nonexistent') },
            sub { Postfix::QueueWatch::Verdict::state($q) },
        ) {
            die "it lives\n" if eval { $fails->(); 1 };
        }
        return;
    }
);

# A million rows, and the same with a log function that dies now and then.
my $rows = 0;
flat(
    'passes over all messages',
    4_000,
    sub {
        my $cursor = $q->messages;
        $rows++ while $cursor->next;
        return;
    }
);
cmp_ok($rows, '>', 1_000_000, "$rows rows");

my $said = 0;
Postfix::QueueWatch->log_to(sub { die "enough\n" if ++$said % 3 == 0; return }, 'trace');
%cheap = (queue_directory => $spool, measure => 'corrupt.messages', readers => 1);
flat('scans with a log function that dies', 1_000, sub { eval { Postfix::QueueWatch->scan(%cheap) }; return });
Postfix::QueueWatch->log_to(undef);
cmp_ok($said, '>', 1_000, "$said records");

done_testing();
