use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

my $q = Postfix::QueueWatch->scan(queue_directory => Corpus::spool(), now => $Corpus::NOW);
my ($messages, $recipients, $size) = (0, 0, 0);
my $cursor = $q->messages('deferred');
while (my $message = $cursor->next) {
    $messages++;
    $recipients += @{ $message->{recipients} };
    $size       += $message->{size};
    like($message->{queue_id}, qr/\A[0-9A-F]+\z/, 'a queue ID') if $messages == 1;
    ok(!utf8::is_utf8($message->{sender}), 'bytes')             if $messages == 1;
    is($message->{queue}, 'deferred', 'its queue') if $messages == 1;
    is_deeply([@{$message}{qw(origin_by client client_name helo user login)}],
        ['client', '127.0.0.1', 'localhost', 'client.example', undef, undef], 'its origin') if $messages == 1;
}
is($cursor->next, undef, 'the end stays the end');
is($messages,   $q->measure('deferred.messages'),   'messages');
is($recipients, $q->measure('deferred.recipients'), 'recipients');
is($size,       $q->measure('deferred.bytes'),      'bytes');
is($cursor->unreadable, 0, 'all was read');

my $all = 0;
$cursor = $q->messages;
undef $q;
$all++ while $cursor->next;
is($all, 233, 'all queues, after the snapshot has gone');

my $count = sub {
    my $rows = Postfix::QueueWatch->scan(queue_directory => Corpus::spool(), now => $Corpus::NOW, @_)->messages;
    my $n    = 0;
    $n++ while $rows->next;
    return $n;
};
my @from = (sender => '<>');
my $with = $count->(@from);
ok($with > 0 && $with < 233, 'a filter picks some');
is($count->(not_sender => '<>'), 233 - $with, 'and the others when it is negated');
is($count->(not_sender => '<>', older => '4h', younger => '1h'), 0, 'beside filters that sort before and after it');
ok(!eval { $count->(not => 1, @from); 1 }, 'not has no place among options without an order');
like($@, qr/not_sender/, 'and the error says what has');

done_testing();
