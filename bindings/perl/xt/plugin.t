# The words and exit codes of the plugin, which cargo has built. For those who change the module.
use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

my $target = $ENV{CARGO_TARGET_DIR} // "$Corpus::ROOT/target";

# What the plugin prints, and its exit code.
sub plugin {
    my @arguments = @_;
    open my $pipe, '-|', "$target/release/check_postfix_queue", @arguments or die "cannot run the plugin: $!\n";
    my $output = do { local $/ = undef; <$pipe> };
    close $pipe;
    return ($output, $? >> 8);
}

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
    my ($output, $code) = plugin(@words);
    is($verdict->output, $output, 'the words of the plugin');
    is($verdict->state + 0, $code, 'its exit code');
    is($verdict->summary . ' | ' . $verdict->perfdata . "\n", $output, 'in parts');
    like($output, qr/\APOSTFIX QUEUE \Q${\ $verdict->state}\E: /, 'the state is a word, too');
}

done_testing();
