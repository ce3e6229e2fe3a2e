use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

my $spool = Corpus::spool();

sub work {
    my $q = Postfix::QueueWatch->scan(queue_directory => "$spool", measure => 'hold.recipients', readers => 1);
    $q->measure('hold.recipients');
    my @problems = $q->problems;
    my $verdict  = $q->check(critical => ['hold.messages=1']);
    my @findings = $verdict->findings;
    my $text     = $verdict->output . $verdict->state . $q->json;
    my $cursor   = $q->messages('hold');
    while (my $message = $cursor->next) { }
    eval { $q->measure('nonsense') };
    eval { Postfix::QueueWatch->scan(queue_directory => '/nonexistent') };
    return;
}

work() for 1 .. 200;
my $before = Corpus::resident();
work() for 1 .. 2000;
my $grown = Corpus::resident() - $before;
cmp_ok($grown, '<', 1024, "2000 rounds of everything grow by $grown KiB");

done_testing();
