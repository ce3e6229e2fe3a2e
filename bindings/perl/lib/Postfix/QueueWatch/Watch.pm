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

Made by L<Postfix::QueueWatch/watch>. It reads the queues once, and keeps their state by inotify; no thread is behind it.
Use it in the process that made it. With C<< poll => 30 >>, or where there is no inotify, it looks every so many seconds
which files have changed, and what it tells is as old as the last look. With AnyEvent or another loop:

    my $news = AnyEvent->io(fh => $watch->fileno, poll => 'r', cb => sub { $watch->dispatch });

=head1 METHODS

=head2 fileno

The descriptor to wait for: readable when C<dispatch> has something to do, and every ten seconds or more often, since ages grow. It
belongs to the watch: do not read or close it.

=head2 wait

    $watch->wait(2.5);

Waits for that descriptor, at most so many seconds (without any: for ever), and returns true if it is readable.

=head2 dispatch

Takes in what has happened, and returns it: a list of hash references with C<kind> (C<arrived>, C<moved>, C<left> or
C<changed>, of a message; C<rescanned>, C<blind> or C<dropped>, of the watch itself), C<instance>, C<queue>, C<from>
(where a moved message was before), C<queue_id>, C<recipients>, C<size>, C<arrival>, C<reason> (of what is about no
message), and of the message C<sender>, C<recipient> (the first that waits), C<origin_by>, C<origin> and C<cause>; C<undef> if it
could not be read. It never waits for anything but the disk.

=head2 snapshot

The L<Postfix::QueueWatch::Snapshot> of this moment, the same that C<scan> would take.

=head2 check

The L<Postfix::QueueWatch::Verdict> of this moment, by the rules given or those of the watch. It costs the same for any
number of messages; its long output lacks the table of domains by age.

=head2 close

Gives back its memory and file descriptors now. Otherwise that happens when it is forgotten. Twice is no harm.

=cut
