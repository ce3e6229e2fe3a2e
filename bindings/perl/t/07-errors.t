use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

ok(!eval { Postfix::QueueWatch->scan(queue_directory => '/nonexistent/spool'); 1 }, 'a spool that is not there');
my $line  = __LINE__ - 1;
my $error = $@;
isa_ok($error, 'Postfix::QueueWatch::Error');
is($error->code,  12,                   'its code');
is($error->errno, 2,                    'its errno');
is($error->path,  '/nonexistent/spool', 'its path');
like($error->message, qr/\Acannot open queue directory .*\(ENOENT\)/, 'its message');
is("$error", $error->message . " at $0 line $line.\n", 'as a text, with the place of the call');
ok($error, 'true');
ok($error eq "$error", 'comparable');

my $q = Postfix::QueueWatch->scan(queue_directory => Corpus::spool());
ok(!eval { $q->check(critical => 'deferred.messages=10:5'); 1 }, 'a wrong rule');
is($@->offset, 18, 'and where it is wrong');
ok(!eval { $q->measure('deferd.messages'); 1 }, 'a wrong measure');
like($@->message, qr/no queue is called "deferd"/, 'and why');
ok(!eval { $q->messages('nosuch'); 1 }, 'a wrong queue');
ok(!eval { Postfix::QueueWatch::Snapshot::complete(bless \(my $zero = 0), 'Postfix::QueueWatch::Snapshot'); 1 }, 'closed');
like($@, qr/is closed/, 'and said so');
ok(!eval { Postfix::QueueWatch::Snapshot::complete({}); 1 }, 'another type');
like($@, qr/Postfix::QueueWatch::Snapshot object expected/, 'and said so');
ok(!eval { Postfix::QueueWatch::Verdict::state($q); 1 }, 'another class');
$q->DESTROY;
$q->DESTROY;
ok(!eval { $q->complete; 1 }, 'used after it was destroyed');

done_testing();
