use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

my $spool = Corpus::spool();
my %where = (queue_directory => $spool, now => $Corpus::NOW);

is(Postfix::QueueWatch->scan(%where)->now, $Corpus::NOW, 'underscores become dashes');
my $q = Postfix::QueueWatch->scan(%where, exclude => ['hold', 'deferred'], timeout => undef);
is($q->measure('total.messages'), 28, 'an array sets an option once for each; undef sets nothing');
is($q->measure('hold.messages'), undef, 'what is excluded is unknown');
is(Postfix::QueueWatch->scan(%where, counts => 1)->measure('deferred.oldest'), undef, 'a switch is switched on');
isnt(Postfix::QueueWatch->scan(%where, counts => 0)->measure('deferred.oldest'), undef, 'and off');
ok(!eval { Postfix::QueueWatch->scan(%where, colour => 'red'); 1 }, 'an unknown option');
like($@, qr/there is no option colour; options are /, 'is told with those that there are');
ok(!eval { Postfix::QueueWatch->scan(queue_directory => "/\x{263a}"); 1 }, 'a wide character');
like($@, qr/wide character .* encode/, 'is told with what to do');
my $latin = "caf\x{e9}";
utf8::upgrade($latin);
ok(!eval { Postfix::QueueWatch->scan(queue_directory => "/$latin"); 1 }, 'a text with the flag that fits bytes');
is($@->path, "/caf\x{e9}", 'is those bytes');

done_testing();
