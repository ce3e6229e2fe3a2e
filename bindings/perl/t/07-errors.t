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
is($error->code,  Postfix::QueueWatch::Error::NOT_FOUND, 'its code');
is($error->code,  12,                                    'which is that of the header');
is($error->errno, 2,                                     'its errno');
is($error->path,  '/nonexistent/spool',                  'its path');
like($error->message, qr/\Acannot open queue directory .*\(ENOENT\)/, 'its message');
is("$error", $error->message . " at $0 line $line.\n", 'as a text, with the place of the call');
ok($error, 'true');
ok($error eq "$error", 'comparable');

my $spool = Corpus::spool();
my $q     = Postfix::QueueWatch->scan(queue_directory => $spool, now => $Corpus::NOW);
ok(!eval { $q->check(critical => 'deferred.messages=10:5'); 1 }, 'a wrong rule');
is($@->offset, 18, 'and where it is wrong');
like($@->message, qr/\Acritical => "deferred[.]messages=10:5": character 19: /, 'as Perl spells an option');
is($@->file,   $0, 'and whose fault that is');
my (undef, undef, $detail) = $q->measure('deferred.growth');
like($detail, qr/give previous =>\z/, 'so does a remedy');
ok(!eval { $q->measure('deferd.messages'); 1 }, 'a wrong measure');
like($@->message, qr/no queue is called "deferd"/, 'and why');
is($@->code, Postfix::QueueWatch::Error::SYNTAX, 'and what kind of error');
ok(!eval { $q->messages('nosuch'); 1 }, 'a wrong queue');

# Every method of every class, on whatever is not its object: an exception with the place of the call.
my $shape   = Postfix::QueueWatch->shape(queue_directory => $spool, now => $Corpus::NOW);
my $verdict = $q->check(critical => 'hold.messages=1');
my $cursor  = $q->messages;
my %objects = (Snapshot => $q, Shape => $shape, Verdict => $verdict, Messages => $cursor);
my %methods = (
    Snapshot => [
        [qw(measure hold.messages)], ['complete'], ['now'],   ['problems'], ['instances'], ['messages'],
        ['reasons'],                 ['json'],     ['state'], ['check'],
    ],
    Shape    => [['complete'], ['text'], ['rows'], ['json']],
    Verdict  => [['state'], ['summary'], ['perfdata'], ['output'], ['json'], ['findings']],
    Messages => [['next'], ['unreadable']],
);
my $bad_number  = 12_345;
my @impostors   = (undef, 0, 'text', [], {}, sub { 1 }, \my $scalar, \*STDOUT, qr/x/, \$bad_number);
my @unrefused;
my $refused = 0;
for my $class (sort keys %methods) {
    my $package = "Postfix::QueueWatch::$class";
    my @others  = map { $objects{$_} } grep { $_ ne $class } sort keys %objects;
    # Blessed by somebody else, even a number where a pointer might be.
    my @forged = (bless({}, $package), bless([], $package), bless(\(my $number = 12_345), $package));
    for my $method (@{ $methods{$class} }) {
        my ($name, @arguments) = @{$method};
        my $code = $package->can($name) or die "no $name\n";
        for my $impostor (@impostors, @others, @forged) {
            my $lived = eval { my @nothing = $code->($impostor, @arguments); 1 };
            if (!$lived && ref $@ && $@->isa('Postfix::QueueWatch::Error') && $@->file eq $0) {
                $refused++;
            }
            else {
                push @unrefused, "$class $name on " . (defined $impostor ? $impostor : 'undef') . ': ' . ($lived ? '' : $@);
            }
        }
    }
    ok(!eval { $package->can('close')->($_); 1 }, "$class: close of " . ref) for [], bless({}, $package);
}
is_deeply(\@unrefused, [], "$refused calls on wrong objects are refused");

# Wrong arguments.
ok(!eval { $q->measure(undef); 1 },                  'a measure that is undefined');
ok(!eval { $q->measure("hold.messages\0"); 1 },      'a measure with a NUL');
ok(!eval { $q->measure("h\x{f6}ld\x{263a}"); 1 },    'a measure with a wide character');
like($@, qr/wide character: encode/, 'is an error with its remedy');
ok(!eval { $verdict->output(-1); 1 },                'no such verbosity');
ok(!eval { $shape->text('hold', colour => 1); 1 },   'no such option of a table');
like($@, qr/not colour at \Q$0\E line/, 'is an error');
ok(!eval { $shape->text('hold', 'senders'); 1 },     'no pair');
ok(!eval { Postfix::QueueWatch->log_to('x'); 1 },    'no function');
ok(!eval { Postfix::QueueWatch->log_to(sub { 1 }, 'loud'); 1 }, 'no level');
like($@, qr/no log level loud: error, warn/, 'is an error that lists the levels');

# After close, which may be repeated, nothing works; what was made before does.
for my $class (sort keys %objects) {
    my $object = $objects{$class};
    $object->close;
    $object->close;
    for my $method (@{ $methods{$class} }) {
        my ($name, @arguments) = @{$method};
        ok(!eval { my @nothing = $object->$name(@arguments); 1 }, "$class: $name after close");
        is($@->code, Postfix::QueueWatch::Error::STATE, 'has the code STATE');
        like($@, qr/this $class is closed/, 'and said so');
    }
}
my $again = Postfix::QueueWatch->scan(queue_directory => $spool, now => $Corpus::NOW);
my $lasting = $again->check(critical => 'hold.messages=1');
my $open    = $again->messages('hold');
$again->close;
is($lasting->state, 'CRITICAL', 'a verdict outlives its snapshot');
ok($open->next, 'and so does a cursor');

# Of another thread's or another program's making.
ok(!eval { Postfix::QueueWatch::Snapshot->measure('hold.messages'); 1 }, 'a class is no object');

done_testing();
