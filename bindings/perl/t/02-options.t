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
isnt(Postfix::QueueWatch->scan(%where, counts => !!0)->measure('deferred.oldest'), undef, q{also by Perl's own false});
ok(!eval { Postfix::QueueWatch->scan(queue_directory => ''); 1 }, 'while an empty text is an empty text');
unlike($@, qr/\bno\b:/, 'and not the word no');
ok(!eval { Postfix::QueueWatch->scan('queue_directory'); 1 }, 'an odd number of words');
like($@, qr/pairs of a name and a value at \Q$0\E line/, 'is an error that names the line');
ok(!eval { Postfix::QueueWatch->scan(now => {}); 1 }, 'a reference to nothing useful');
like($@, qr/now: a text, a number, or an array of them/, 'is an error');
ok(!eval { Postfix::QueueWatch->scan(now => "1\0"); 1 }, 'a NUL in a number');
ok(!eval { Postfix::QueueWatch->scan(queue_directory => "/tmp\0x"); 1 }, 'a NUL in a path');
like($@, qr/must be the path of a directory/, 'is an error');
ok(!eval { Postfix::QueueWatch->scan(%where, colour => 'red'); 1 }, 'an unknown option');
like($@, qr/there is no option colour; options are /, 'is an error that lists the options');
my %unused = (
    scan  => { poll => '1m', 'bucket-count' => 3, linear => 0 },
    check => { poll => 5 },
    watch => { timeout => 5, previous => '', bucket_time => 7 },
    shape => { poll => 5, warning => '5', sender => 'a@b', not_login => 'x', counts => 1, exclude_domain => 'a.example' },
);
for my $call (sort keys %unused) {
    for my $keyword (sort keys %{ $unused{$call} }) {
        (my $name = $keyword) =~ tr/-/_/;
        ok(!eval { Postfix::QueueWatch->$call(%where, $keyword => $unused{$call}{$keyword}); 1 }, "$keyword of $call");
        like($@, qr/ has no use for $name at \Q$0\E line/, 'is refused');
        ok(eval { Postfix::QueueWatch->$call(%where, $keyword => undef); 1 }, 'undef sets nothing');
    }
}
ok(!eval { Postfix::QueueWatch->scan(queue_directory => "/\x{263a}"); 1 }, 'a wide character');
like($@, qr/wide character: encode/, 'is an error with its remedy');
my $latin = "caf\x{e9}";
utf8::upgrade($latin);
ok(!eval { Postfix::QueueWatch->scan(queue_directory => "/$latin"); 1 }, 'a text with the flag that fits bytes');
is($@->path, "/caf\x{e9}", 'is those bytes');
ok(utf8::is_utf8($latin), 'and stays as it was');

done_testing();
