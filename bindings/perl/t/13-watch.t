use strict;
use warnings;

use lib 't/lib';
use Corpus;
use IO::Select;
use Test::More;

use Postfix::QueueWatch;

my $spool = Corpus::spool();
my $watch = Postfix::QueueWatch->watch(queue_directory => $spool, now => $Corpus::NOW, critical => 'hold.messages=6');
is($watch->check->state, 'CRITICAL', 'a verdict at once');
ok(!$watch->wait(0), 'nothing happened');
is_deeply([$watch->dispatch], [], 'so there is nothing to tell');
my $select = IO::Select->new($watch->fileno);

opendir my $directory, "$spool/hold" or die "$!\n";
my ($name) = grep { -f "$spool/hold/$_" } sort readdir $directory;
closedir $directory;
rename "$spool/hold/$name", "$spool/active/$name" or die "$!\n";
ok($select->can_read(5), 'a message moved');
my @events = $watch->dispatch;
is(scalar @events, 1, 'one event');
is_deeply([@{ $events[0] }{qw(kind from queue queue_id)}], ['moved', 'hold', 'active', $name], 'tells how');
like($events[0]{sender}, qr/\@sender\.example\z/, 'from whom');
like($events[0]{recipient}, qr/\@/, 'to whom');
is_deeply([@{ $events[0] }{qw(origin_by origin cause)}], ['client', '127.0.0.1', undef], 'its origin, and no cause on hold');
is($watch->check->state, 'OK', 'and the state is another');
is($watch->check(critical => 'hold.messages=1')->state, 'CRITICAL', 'by other rules, too');
my $live = $watch->snapshot;
my $scan = Postfix::QueueWatch->scan(queue_directory => $spool, now => $Corpus::NOW);
for my $measure (qw(hold.messages active.recipients deferred.oldest deferred.top_domain deferred.reason(4.7) total.bytes)) {
    is_deeply([$live->measure($measure)], [$scan->measure($measure)], "$measure is that of a scan");
}
is_deeply([$live->reasons], [$scan->reasons], 'so are the reasons');
is($live->check->state, 'OK', 'the rules of the watch hold for its snapshots');
$watch->dispatch while $watch->wait(0.2);

# A child that uses its parent's watch gets an error, and takes no events from it.
my $cursor = $live->messages('hold');
rename "$spool/active/$name", "$spool/hold/$name" or die "$!\n";
my $child = fork // die "$!\n";
if ($child == 0) {
    my $refused = 0;
    for my $use (sub { $watch->dispatch }, sub { $watch->snapshot }, sub { $watch->wait(0) }, sub { $watch->check }, sub { $cursor->next }) {
        $refused++ if !eval { my @nothing = $use->(); 1 } && $@->code == Postfix::QueueWatch::Error::STATE;
    }
    require POSIX;
    POSIX::_exit($refused);
}
waitpid $child, 0;
is($? >> 8, 5, 'a child is refused');
ok($select->can_read(5), 'the event is still there');
is_deeply([map { $_->{kind} } $watch->dispatch], ['moved'], 'for its parent');
$cursor->close;
$watch->dispatch while $watch->wait(0.2);
$watch->close;
$watch->close;
for my $method (qw(fileno wait dispatch snapshot check)) {
    ok(!eval { my @nothing = $watch->$method; 1 }, "$method after close");
    like($@, qr/this Watch is closed/, 'is an error');
}
is($live->measure('hold.messages'), 6, 'a snapshot lives on');
ok(!eval { Postfix::QueueWatch->watch(queue_directory => '/nonexistent'); 1 }, 'no spool');
is($@->code, Postfix::QueueWatch::Error::NOT_FOUND, 'is an error as of a scan');

my $before = () = glob '/proc/self/fd/*';
Postfix::QueueWatch->watch(queue_directory => $spool, measure => 'hold.messages') for 1 .. 50;
my $after = () = glob '/proc/self/fd/*';
is($after, $before, 'no descriptor is left behind');

done_testing();
