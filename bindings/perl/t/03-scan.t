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
cmp_ok($quality, '==', Postfix::QueueWatch::EXACT, 'its quality');
is($quality, 'exact', 'as a word, too');
cmp_ok($value, '>', 50, 'its value');
like($q->json, qr/\A\{"schema":"queuewatch\/1"/, 'JSON');
my $document = $q->document;
is($document->{instances}[0]{queues}{deferred}{messages}, 194, 'and decoded');
is($document->{instances}[0]{queues}{deferred}{oldest_arrival}, $Corpus::NOW - 500_000, 'with all that JSON has');
ok($document->{complete}, 'with true and false');
$document->{complete} = 0;
ok($q->document->{complete}, 'a new one at each call');

# Damaged and unreadable things are problems.
my $spool = Corpus::spool();
open my $file, '>', "$spool/active/DAMAGED1" or die "$!\n";
close $file;
chmod oct 700, "$spool/active/DAMAGED1" or die "$!\n";
# Its owner is that of its queue, who may be another than root.
my (undef, undef, undef, undef, $uid, $gid) = stat "$spool/active";
chown $uid, $gid, "$spool/active/DAMAGED1" or die "$!\n";
my @problems = Postfix::QueueWatch->scan(queue_directory => $spool)->problems;
is(scalar @problems, 1, 'one problem');
is($problems[0]{path}, "$spool/active/DAMAGED1", 'its path');
like($problems[0]{message}, qr/empty file at byte 0/, 'its text');
is($problems[0]{queue}, 'active', 'its queue');
is($problems[0]{kind}, 'damaged', 'its kind');

# So are a directory that its owner cannot write to, and a message where Postfix does not look.
mkdir "$spool/active/D" or die "$!\n";
chmod oct 700, "$spool/active/D" or die "$!\n";
chown $uid, $gid, "$spool/active/D" or die "$!\n";
rename "$spool/active/DAMAGED1", "$spool/active/D/DAMAGED1" or die "$!\n";
chmod oct 500, "$spool/hold" or die "$!\n";
@problems = Postfix::QueueWatch->scan(queue_directory => $spool)->problems;
is_deeply([map { $_->{kind} } @problems], [qw(damaged misowned misplaced)], 'their kinds');
like($problems[1]{message}, qr/its mode is 0500 and lacks 0200/, 'what is misowned');
like($problems[1]{remedy}, qr/postfix set-permissions/, 'its remedy');
is($problems[2]{path}, "$spool/active/D/DAMAGED1", 'what is misplaced');
like($problems[2]{remedy}, qr/postsuper -s/, 'its remedy');
chmod oct 700, "$spool/hold" or die "$!\n";
rename "$spool/active/D/DAMAGED1", "$spool/active/DAMAGED1" or die "$!\n";
rmdir "$spool/active/D" or die "$!\n";
chmod oct 0, "$spool/active/DAMAGED1" or die "$!\n";

my @instances = $q->instances;
is_deeply(
    [map { [@{$_}{qw(name complete)}] } @instances],
    [['postfix', 1]],
    'the instance'
);
like($instances[0]{queue_directory}, qr{/spool\z}, 'and its directory');
my $later = Postfix::QueueWatch->scan(queue_directory => $instances[0]{queue_directory}, now => $Corpus::NOW + 60, previous => $q->state);
is($later->measure('deferred.growth'), 0, 'growth, by the state of an earlier snapshot');

done_testing();
