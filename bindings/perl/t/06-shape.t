use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

use Postfix::QueueWatch;

my $spool = Corpus::spool();
my $shape = Postfix::QueueWatch->shape(queue_directory => $spool, now => $Corpus::NOW);
ok($shape->complete, 'all was read');

# What the real qshape printed, rows that tie in another order.
sub saved {
    my ($label) = @_;
    open my $file, '<', "$Corpus::ROOT/tests/corpus/short-mixed/qshape/$label.out" or die "no $label: $!\n";
    my @lines = <$file>;
    close $file;
    return join '', sort @lines;
}

sub sorted {
    my ($text) = @_;
    return join '', sort { $a cmp $b } map { "$_\n" } split /\n/, $text;
}

is(sorted($shape->text('deferred')), saved('deferred'), 'the table of qshape');
is(sorted($shape->text('deferred', senders => 1)), saved('deferred-s'), 'by sender, from the same pass');
is(sorted($shape->text('hold')), saved('hold'), 'of another queue, too');
my $linear = Postfix::QueueWatch->shape(queue_directory => $spool, now => $Corpus::NOW, bucket_count => 3, linear => 1);
is(scalar @{ ($linear->rows('deferred'))[0]{counts} }, 3, 'as many columns as asked for');
my ($total) = grep { $_->{domain} eq 'TOTAL' } $shape->rows('deferred');
my ($printed) = $shape->text('deferred') =~ /TOTAL\s+([0-9]+)/;
is($total->{total}, $printed, 'rows say what the text says');
like($shape->json('total', parents => 1), qr/"domain":"[.]bulk[.]example"/, 'parents in the document');
my ($parent) = grep { $_->{domain} eq '.bulk.example' } @{ $shape->document('total', parents => 1)->{rows} };
cmp_ok($parent->{total}, '>', 0, 'and decoded');
my $all = Postfix::QueueWatch->shape(queue_directory => $spool, now => $Corpus::NOW, all => 1);
my ($all_total) = grep { $_->{domain} eq 'TOTAL' } $all->rows('total');
my $q = Postfix::QueueWatch->scan(queue_directory => $spool, now => $Corpus::NOW);
# A redirected message has two recipients and is one delivery.
is($all_total->{total} - 1, $q->measure('total.recipients'), 'with all, what the scan counts');

my ($reason) = $q->reasons('deferred');
is($reason->{code}, '4.4.1', 'the commonest code, with the twins that begin with "delivery temporarily suspended"');
is($reason->{reason}, 'connect to IP[IP]:1: Connection refused', 'and reason');
is($reason->{cause}, 'filter', 'and cause');
my $sum = 0;
$sum += $_->{recipients} for $q->reasons('deferred');
my $measured = $q->measure('deferred.reason(4)') + $q->measure('deferred.reason(5)');
is($sum, $measured, 'rows add up to the measures');

my $cursor = $q->messages('deferred');
my $delayed = 0;
while (my $message = $cursor->next) {
    for my $delay (@{ $message->{delays} }) {
        $delayed++ if defined $delay;
    }
}
is($delayed, $sum, 'each message says why it waits');
my $untried = $q->messages('incoming')->next;
ok(exists $untried->{delays}, 'other mail has a place for them, too');

my $shallow = Postfix::QueueWatch->scan(queue_directory => $spool, measure => 'deferred.messages');
ok(!eval { my @rows = $shallow->reasons; 1 }, 'reasons that were not read are no empty list');
like($@, qr/delay reasons were not read in this scan/, 'but an error');
ok(!eval { $shape->text('nosuch'); 1 }, 'an unknown queue dies');

done_testing();
