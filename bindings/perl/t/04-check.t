use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

my $spool = Corpus::spool();
my $q     = Postfix::QueueWatch->scan(queue_directory => $spool, now => $Corpus::NOW);
for my $rules (
    { critical => ['deferred.messages=10'] },
    { warning => ['deferred.older(4h)=5', 'hold.messages=1'], critical => 'active.fill=50%' },
    { critical => 500 },
) {
    my @words = ('--queue-directory', $spool, '--now', $Corpus::NOW);
    for my $level (sort keys %{$rules}) {
        my $given = $rules->{$level};
        push @words, "--$level", $_ for ref $given ? @{$given} : $given;
    }
    my $verdict = $q->check(%{$rules});
    my ($output, $code) = Corpus::plugin(@words);
    is($verdict->output, $output, 'the words of the plugin');
    is($verdict->state + 0, $code, 'its exit code');
    is($verdict->summary . ' | ' . $verdict->perfdata . "\n", $output, 'in parts');
    like($output, qr/\APOSTFIX QUEUE \Q${\ $verdict->state}\E: /, 'the state is a word, too');
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
like($q->check->output(1), qr/^recipients by destination domain/m, 'long output');
ok(!eval { $q->check->output(-1); 1 }, 'no such verbosity');

done_testing();
