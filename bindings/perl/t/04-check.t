use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

my $spool = Corpus::spool();
my $q     = Postfix::QueueWatch->scan(queue_directory => $spool, now => $Corpus::NOW);
for my $case (
    [CRITICAL => 2, 'deferred.messages is 194 (critical 10)', critical => ['deferred.messages=10']],
    [WARNING  => 1, 'hold.messages is 7 (warning 1)', warning => ['hold.messages=1'], critical => 'active.fill=50%'],
    [OK       => 0, '194 deferred', critical => 5000],
) {
    my ($word, $code, $text, @rules) = @{$case};
    my $verdict = $q->check(@rules);
    is($verdict->state, $word, "$word is a word");
    is($verdict->state + 0, $code, 'and an exit code');
    like($verdict->output, qr/\APOSTFIX QUEUE $word: /, 'its output begins with it');
    like($verdict->output, qr/\Q$text\E/, 'and says why');
    is($verdict->summary . ' | ' . $verdict->perfdata . "\n", $verdict->output, 'in parts');
}
my @findings = $q->check(critical => ['deferred.messages=10'], warning => ['hold.messages=1'])->findings;
is_deeply(
    [map { [@{$_}{qw(measure range value)}, $_->{state} + 0] } @findings],
    [['deferred.messages', '10', 194, 2], ['hold.messages', '1', 7, 1]],
    'findings, worst first'
);
is($findings[0]{state}, 'CRITICAL', 'their states are words, too');
is($findings[0]{quality}, 'exact', 'and their qualities');

# The options of the scan hold for the check, unless they are given again.
my $judged = Postfix::QueueWatch->scan(queue_directory => $spool, now => $Corpus::NOW, critical => 'hold.messages=1');
is($judged->check->summary, 'POSTFIX QUEUE CRITICAL: hold.messages is 7 (critical 1)', 'rules given to the scan');
is($judged->check(critical => 'hold.messages=100')->state, 'OK', 'rules given again');
my $at_once = Postfix::QueueWatch->check(queue_directory => $spool, now => $Corpus::NOW, critical => 'hold.messages=1');
is($at_once->output, $judged->check->output, 'both in one call');
like($q->check->json, qr/"state":"CRITICAL"/, 'the defaults, as JSON');
is($q->check->document->{state}, 'CRITICAL', 'and decoded');
like($q->check->output(1), qr/^recipients by destination domain/m, 'long output');
ok(!eval { $q->check->output(-1); 1 }, 'no such verbosity');

done_testing();
