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

sub instances {
    my ($self) = @_;
    my $document = JSON::PP->new->decode(json($self));
    return map {
        my $instance = $_;
        +{
            (map { $_ => $instance->{$_} } qw(name config_directory queue_directory)),
            complete => $instance->{complete} ? 1 : 0,
        }
    } @{ $document->{instances} };
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

The figure in its unit (seconds, bytes, percent, or a plain number); C<undef> if it is unknown. In list context the
figure, its quality (see L<Postfix::QueueWatch/CONSTANTS>), and what it is about (the domain or sender that has most) or
why it is unknown.

=head2 complete

True if everything could be read; if not, figures are lower bounds.

=head2 now

The second of the epoch that ages count from.

=head2 problems

What could not be read, damaged, misowned and misplaced queue files, and instances that are broken: a list of hash references with C<message>,
C<remedy>, C<path>, C<kind> (C<directory>, C<file>, C<damaged>, C<instance>, C<misowned> or C<misplaced>), C<queue> (a name or C<undef>), C<errno>.

=head2 instances

The instances that it is about: a list of hash references with C<name>, C<config_directory>, C<queue_directory>,
C<complete>. C<NAME/MEASURE> is a measure of one alone.

=head2 messages

    my $cursor = $q->messages('deferred');

A L<Postfix::QueueWatch::Messages> over a queue, over C<backlog> or C<total>, or (without argument) over all queues.

=head2 reasons

Why the mail of a queue (or of C<backlog>, C<total>, or all) waits: a list of hash references, most recipients first,
with C<domain>, C<code> (the enhanced status code), C<reason> (in which C<ADDRESS>, C<HOST>, C<IP>, C<URL>, C<ID>, C<TIME>
and C<N> stand for what changes), C<recipients>, C<oldest>, a second of the epoch, C<cause>,
C<acts> (C<us>, C<them>, C<nobody>, C<both> or C<unknown>), and C<next_hop>, the server, socket or name that
the reason is about.

=head2 json

A document of everything, schema queuewatch/1.

=head2 openmetrics

The OpenMetrics text, with the domains that C<metrics_domain> and C<metrics_top> of the scan name.

=head2 state

What a later scan needs to tell growth: keep it as you like, and give it to that scan as C<previous>.

=head2 check

    my $verdict = $q->check(warning => ['deferred.oldest=4h'], critical => ['deferred.oldest=1d', 'active.fill=95%']);

A L<Postfix::QueueWatch::Verdict> by those rules, or by the defaults if there are none. The options of the scan hold here
too, each unless it is given again.

=head2 close

Gives back its memory now. Otherwise that happens when it is forgotten. Verdicts and cursors live on. Twice is no harm.

=cut
