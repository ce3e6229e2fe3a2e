package Postfix::QueueWatch::Watch;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

sub wait {    ## no critic (ProhibitBuiltinHomonyms) -- the word of the library.
    my ($self, $seconds) = @_;
    my $milliseconds = defined $seconds ? $seconds * 1000 : -1;
    return _wait($self, $milliseconds > 2_147_483_647 ? 2_147_483_647 : $milliseconds);
}

sub snapshot {
    my ($self) = @_;
    my $snapshot = _snapshot($self);
    $snapshot->_keep(_kept($self));
    return $snapshot;
}

sub check {
    my ($self, @options) = @_;
    Postfix::QueueWatch::Error::_refuse('options are pairs of a name and a value') if @options % 2;
    return Postfix::QueueWatch::Options->new(%{ _kept($self) // {} }, @options)->_check_live($self);
}

1;

__END__

=head1 NAME

Postfix::QueueWatch::Watch - the queues live, for a loop that waits for descriptors

=head1 SYNOPSIS

    use IO::Select;
    use Postfix::QueueWatch;

    my $watch  = Postfix::QueueWatch->watch(queue_directory => '/var/spool/postfix', critical => 'hold.messages=5');
    my $select = IO::Select->new($watch->fileno);
    for my $round (1 .. 3) {
        $select->can_read(1) or next;
        print "$_->{kind} $_->{queue_id} $_->{reason}\n" for $watch->dispatch;
    }
    print $watch->check->summary, "\n";

=head1 DESCRIPTION

Made by L<Postfix::QueueWatch/watch>. It reads the queues once and follows their changes by inotify. It starts no thread.
Use it in the process that made it. With C<< poll => 30 >> it looks for changed files every 30 seconds. Without inotify it
does so too. What it reports is then as old as the last look. With AnyEvent or another loop:

    my $news = AnyEvent->io(fh => $watch->fileno, poll => 'r', cb => sub { $watch->dispatch });

=head1 METHODS

=head2 fileno

Returns the descriptor to wait for. It is readable when C<dispatch> has something to do, and at least every ten seconds,
because ages grow. It belongs to the watch: do not read or close it.

=head2 wait

    $watch->wait(2.5);

Waits for that descriptor for at most the given seconds, or without a limit if you give none. Returns true if it is
readable.

=head2 dispatch

Processes what has happened and returns it: a list of hash references with C<kind> (C<arrived>, C<moved>, C<left> or
C<changed>, of a message; C<rescanned>, C<blind> or C<dropped>, of the watch itself), C<instance>, C<queue>, C<from>
(where a moved message was before), C<queue_id>, C<recipients>, C<size>, C<arrival>, C<reason> (of an event of the
watch itself), and of the message C<sender>, C<recipient> (the first that waits), C<origin_by>, C<origin> and C<cause>; each C<undef> if it
could not be read. It waits for nothing except the disk.

=head2 snapshot

Returns the L<Postfix::QueueWatch::Snapshot> of this moment, equal to that of a C<scan>.

=head2 check

Returns the L<Postfix::QueueWatch::Verdict> of this moment, by the given rules or those of the watch. It costs the same for
any number of messages. Its long output has no table of domains by age.

=head2 close

Frees its memory and closes its file descriptors now. Otherwise that happens with the last reference. A second call does
nothing.

=cut
