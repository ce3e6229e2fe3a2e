use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

my $q = Postfix::QueueWatch->scan(queue_directory => Corpus::spool(), now => $Corpus::NOW);
ok($q->complete, 'all was read');
is_deeply([$q->problems], [], 'without a problem');
is($q->measure('deferred.messages'), 194, 'messages');
is($q->measure('deferred.oldest'), 500_000, 'seconds');
my ($value, $quality, $detail) = $q->measure('deferred.top_domain');
is($detail, 'alpha.example', 'what it is about');
is($quality, Postfix::QueueWatch::EXACT, 'its quality');
cmp_ok($value, '>', 50, 'its value');
like($q->json, qr/\A\{"schema":"queuewatch\/1"/, 'JSON');

# Damaged and unreadable things are problems.
my $spool = Corpus::spool();
open my $file, '>', "$spool/active/DAMAGED1" or die "$!\n";
close $file;
chmod oct 700, "$spool/active/DAMAGED1" or die "$!\n";
my @problems = Postfix::QueueWatch->scan(queue_directory => $spool)->problems;
is(scalar @problems, 1, 'one problem');
is($problems[0]{path}, "$spool/active/DAMAGED1", 'its path');
like($problems[0]{message}, qr/empty file at byte 0/, 'its text');
is(Postfix::QueueWatch->queue_name($problems[0]{queue}), 'active', 'its queue');

done_testing();
