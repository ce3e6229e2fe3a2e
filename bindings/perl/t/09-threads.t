use strict;
use warnings;

use Config;
use lib 't/lib';
use Corpus;
use Test::More;

BEGIN {
    if ($Config{useithreads}) {
        require threads;
    }
}
use Postfix::QueueWatch;

my $spool  = Corpus::spool();
my $q      = Postfix::QueueWatch->scan(queue_directory => $spool);
my $cursor = $q->messages('hold');
my $count  = $q->measure('total.messages');
if ($Config{useithreads}) {
    my @threads = map {
        threads->create(
            sub {
                # The objects of the parent are closed here; one of its own is not.
                my $gone = !eval { $q->complete; 1 } && $@ =~ /closed, or of another thread/;
                $gone &&= !eval { $cursor->next; 1 };
                my $own = Postfix::QueueWatch->scan(queue_directory => $spool);
                return $gone ? scalar $own->measure('total.messages') : -1;
            }
        )
    } 1 .. 3;
    is($_->join, $count, 'a thread scans by itself') for @threads;
}
is($q->measure('total.messages'), $count, 'the object lives on where it was made');
ok($cursor->next, 'and the cursor');

my $pid = fork // die "cannot fork: $!\n";
if ($pid == 0) {
    my $own = Postfix::QueueWatch->scan(queue_directory => $spool);
    require POSIX;
    POSIX::_exit($own->measure('total.messages') == $count ? 0 : 1);
}
waitpid $pid, 0;
is($?, 0, 'a child scans by itself');

done_testing();
