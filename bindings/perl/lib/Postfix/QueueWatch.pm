package Postfix::QueueWatch;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

require XSLoader;
XSLoader::load('Postfix::QueueWatch', $VERSION);

use Postfix::QueueWatch::Error;
use Postfix::QueueWatch::Messages;
use Postfix::QueueWatch::Options;
use Postfix::QueueWatch::Shape;
use Postfix::QueueWatch::Snapshot;
use Postfix::QueueWatch::Verdict;

# What the library calls a quality, a queue and a kind of problem, by number (queuewatch.h).
sub EXACT    { return 0 }
sub AT_LEAST { return 1 }
sub UNKNOWN  { return 2 }
my @QUEUES = qw(active deferred incoming hold maildrop corrupt);

sub scan {
    my ($class, %options) = @_;
    return Postfix::QueueWatch::Options->new(%options)->_scan;
}

sub shape {
    my ($class, %options) = @_;
    my $all = delete $options{all};
    return Postfix::QueueWatch::Options->new(%options)->_shape($all ? 1 : 0);
}

sub queue_name {
    my ($class, $number) = @_;
    return $number < 0 ? undef : $QUEUES[$number];
}

1;

__END__

=encoding utf8

=head1 NAME

Postfix::QueueWatch - what is stuck in a Postfix queue, since when, for whom

=head1 SYNOPSIS

    use Postfix::QueueWatch;

    my $q = Postfix::QueueWatch->scan(queue_directory => '/var/spool/postfix', timeout => 10);
    printf "%s deferred\n", $q->measure('deferred.messages') // 'unknown';

    my $cursor = $q->messages('deferred');
    while (my $message = $cursor->next) {
        print "$message->{queue_id} @{ $message->{recipients} }\n";
    }

    my $verdict = $q->check(critical => ['deferred.older(4h)=100']);
    print $verdict->output;
    exit $verdict->state;

=head1 DESCRIPTION

A thin binding of libqueuewatch, which reads the spool itself. Measures, rules, options and their texts are those of
C<check_postfix_queue>; its README lists them.

Texts go in and come out as bytes. A text with wide characters dies: encode it first.

=head1 METHODS

=head2 Postfix::QueueWatch->scan(%options)

Scans, and returns a snapshot. Options are the long options of C<check_postfix_queue> with C<_> for C<->, such as
C<queue_directory>, C<config_directory>, C<instance>, C<exclude>, C<timeout>, C<now>, and C<measure>, which limits the
scan to what those measures need. An array reference sets an option once for each element.

=head2 The snapshot

=over

=item $q->measure($name)

The figure in its unit (seconds, bytes, percent, or a plain number); C<undef> if it is unknown. In list context the
figure, its quality (C<Postfix::QueueWatch::EXACT>, C<AT_LEAST> when something could not be read, C<UNKNOWN>), and what
it is about or why it is unknown.

=item $q->complete, $q->now, $q->json

Whether all could be read; the second that ages count from; a JSON document.

=item $q->state

What a later scan needs to tell growth: keep it as you like, and give it to that scan as C<previous>.

=item $q->problems

A list of hashes: C<message>, C<path>, C<remedy>, C<kind>, C<queue>, C<errno>.

=item $q->messages($queue)

A cursor over the messages of a queue, of C<backlog> or C<total>, or (without argument) of all. It reads the spool anew.

=item $q->reasons($queue)

Why the mail of a queue (or of C<backlog>, C<total>, or all) waits: a list of hashes, most recipients first, with
C<domain>, C<code> (the enhanced status code), C<reason> (in which C<ADDRESS>, C<HOST>, C<IP>, C<URL>, C<ID>, C<TIME> and
C<N> stand for what changes), C<recipients>, C<oldest>.

=item $q->check(%options)

A verdict by the rules given as C<warning> and C<critical>, or by the defaults.

=back

=head2 The cursor

C<next> gives a hash reference, and C<undef> after the last: C<instance queue_id sender arrival next_retry size done
queue_number mode damaged forced_expire> and C<recipients>, an array reference; C<delays>, another, has for each of them
C<undef> or a hash with C<status>, C<reason> and C<address>: why it waits. C<< Postfix::QueueWatch->queue_name >>
names a queue by its number. C<unreadable> counts what could not be read.

=head2 The shape

C<< Postfix::QueueWatch->shape(%options) >> counts recipients and senders of every queue by domain and age, as qshape
does; C<bucket_count>, C<bucket_time> and C<linear> make its columns, C<all> counts what qshape leaves out. On it,
C<< text($queue, %how) >> is the table that qshape prints, byte for byte, C<json> the same as a document, and C<rows> a
list of hashes: C<domain>, C<total>, C<counts>. C<%how> takes C<senders>, C<parents>, C<min_subdomains> and, for the
text, C<width>. C<complete> tells whether all could be read.

=head2 The verdict

C<state> is an exit code as a number and its word as a text. C<summary>, C<perfdata>, C<output($verbosity)>, C<json>,
and C<findings>, a list of hashes: C<measure range text value state quality>.

=head1 ERRORS

Methods die with a L<Postfix::QueueWatch::Error>.

=head1 THREADS

Objects belong to the thread that made them; a new thread does not get them. No method exits or keeps global state, so
that it can be used under the embedded Perl of a monitoring system.

=cut
