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
    [map { [@{$_}{qw(measure range value state)}] } @findings],
    [['deferred.messages', '10', 194, 2], ['hold.messages', '1', 7, 1]],
    'findings, worst first'
);
like($q->check->json, qr/"state":"CRITICAL"/, 'the defaults, as JSON');
like($q->check->output(1), qr/^recipients by destination domain/m, 'long output');
ok(!eval { $q->check->output(-1); 1 }, 'no such verbosity');

done_testing();
