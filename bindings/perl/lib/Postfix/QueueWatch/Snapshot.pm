package Postfix::QueueWatch::Snapshot;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

use JSON::PP ();

sub check {
    my ($self, @options) = @_;
    Postfix::QueueWatch::Error::_refuse('options are pairs of a name and a value') if @options % 2;
    return Postfix::QueueWatch::Options->new(%{ _kept($self) // {} }, @options)->_check($self);
}

sub document {
    my ($self) = @_;
    return JSON::PP->new->decode(json($self));
}

sub instances {
    my ($self) = @_;
    return map {
        my $instance = $_;
        +{
            (map { $_ => $instance->{$_} } qw(name config_directory queue_directory)),
            complete => $instance->{complete} ? 1 : 0,
        }
    } @{ document($self)->{instances} };
}

1;

__END__

=head1 NAME

Postfix::QueueWatch::Snapshot - the queues at one moment

=head1 SYNOPSIS

    use Postfix::QueueWatch;

    my $q = Postfix::QueueWatch->scan(queue_directory => '/var/spool/postfix');
    my ($domain_count, $quality, $domain) = $q->measure('deferred.top_domain');
    print "$quality: $domain_count recipients of $domain wait\n" if $quality == Postfix::QueueWatch::EXACT;
    print "$_->{message}\n" for $q->problems;
    for my $reason ($q->reasons('deferred')) {
        print "$reason->{recipients} $reason->{domain} $reason->{code} $reason->{reason}\n";
    }

=head1 DESCRIPTION

Made by L<Postfix::QueueWatch/scan>. It does not change.

=head1 METHODS

=head2 measure

    my $age = $q->measure('postfix-out/deferred.oldest');
    my ($value, $quality, $detail) = $q->measure('deferred.top_sender');

Returns the figure in its unit (seconds, bytes, percent, or a plain number), or C<undef> if it is unknown. In list context
it returns three values: the figure, its quality (see L<Postfix::QueueWatch/CONSTANTS>), and a detail. The detail is the
domain or sender that has most, or the reason why the figure is unknown.

=head2 complete

Returns true if everything could be read. If not, figures are lower bounds.

=head2 now

Returns the time from which ages count, in seconds of the epoch.

=head2 problems

Returns what could not be read, damaged, misowned and misplaced queue files, and broken instances: a list of hash references with C<message>,
C<remedy>, C<path>, C<kind> (C<directory>, C<file>, C<damaged>, C<instance>, C<misowned> or C<misplaced>), C<queue> (a name or C<undef>), C<errno>.

=head2 instances

Returns the instances of the scan: a list of hash references with C<name>, C<config_directory>, C<queue_directory>,
C<complete>. C<NAME/MEASURE> is the measure of one instance.

=head2 messages

    my $cursor = $q->messages('deferred');

Returns a L<Postfix::QueueWatch::Messages> over a queue, over C<backlog> or C<total>, or (without argument) over all
queues.

=head2 reasons

Returns why the mail of a queue (or of C<backlog>, C<total>, or all) waits: a list of hash references, most recipients
first, with C<domain>, C<code> (the enhanced status code), C<reason> (in which C<ADDRESS>, C<HOST>, C<IP>, C<URL>, C<ID>, C<TIME>
and C<N> stand for the parts that differ from message to message), C<recipients>, C<oldest> (seconds of the epoch), C<cause>,
C<acts> (C<us>, C<them>, C<nobody>, C<both> or C<unknown>), and C<next_hop> (the server, socket or name in the
reason).

=head2 json

Returns the whole snapshot as a JSON document, schema queuewatch/1.

=head2 document

    my $arrival = $q->document->{instances}[0]{queues}{deferred}{oldest_arrival};

Returns what C<json> returns, decoded: a hash reference of its own at each call. C<true> and C<false> in it are those of
L<JSON::PP>.

=head2 openmetrics

The OpenMetrics text, with the domains that C<metrics_domain> and C<metrics_top> of the scan name.

=head2 state

Returns what a later scan needs to compute growth. Store it where you like, and give it to that scan as C<previous>.

=head2 check

    my $verdict = $q->check(warning => ['deferred.oldest=4h'], critical => ['deferred.oldest=1d', 'active.fill=95%']);

Returns a L<Postfix::QueueWatch::Verdict> by those rules, or by the defaults if you give none. The options of the scan
apply here too, except those that you give again.

=head2 close

Frees its memory now. Otherwise Perl frees it with the last reference. Verdicts and cursors stay valid. A second call does
nothing.

=cut
