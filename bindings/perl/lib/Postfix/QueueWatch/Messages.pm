package Postfix::QueueWatch::Messages;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

1;

__END__

=head1 NAME

Postfix::QueueWatch::Messages - a cursor over the messages of a queue

=head1 SYNOPSIS

    use Postfix::QueueWatch;

    my $q = Postfix::QueueWatch->scan(queue_directory => '/var/spool/postfix', measure => 'total.messages');
    my $cursor = $q->messages('deferred');
    while (my $message = $cursor->next) {
        my ($delay) = grep { defined } @{ $message->{delays} };
        printf "%s %s %s\n", $message->{queue_id}, $message->{sender}, $delay ? $delay->{reason} : '';
    }

=head1 DESCRIPTION

Made by C<messages> of a L<Postfix::QueueWatch::Snapshot>. It reads the spool again, message by message, so that a queue of
any length takes no more memory than one message does. Mail that moves during the scan may be returned twice or not at
all, as with C<mailq>. Use it in the process that made it.

=head1 METHODS

=head2 next

Returns the next message as a hash reference, or C<undef> after the last.

=over

=item instance, queue, queue_id

Where it is: the names of its instance and its queue, and its queue ID.

=item sender

The envelope sender, in bytes; empty for the null sender, which Postfix's tools show as MAILER-DAEMON.

=item recipients

An array reference: the recipients still to be delivered, in bytes.

=item delays

An array reference with one element for each of these recipients: why it waits, as a hash reference with C<status> (the
enhanced status code), C<reason> and C<address> (the one that was tried). The element is C<undef> if the delay log has no
entry.

=item arrival, next_retry

Seconds of the epoch. C<arrival> is C<undef> if the file has no arrival time, C<next_retry> if the message is not deferred.

=item size

In bytes, as C<mailq> prints it.

=item done

The number of recipients that need no more delivery.

=item mode

Permission bits of the file.

=item damaged, forced_expire

1 or 0. C<damaged> is 1 for a file that is not a valid queue file, C<forced_expire> for one that is marked for expiry.

=item origin_by, login, client, client_name, helo, user

Where it came from. C<origin_by> says which of them is known (C<login>, C<client>, C<user> or C<unknown>). The others are
the SASL login, the address and name of the client, its HELO name, and the number of the local user, each C<undef> if the
queue file does not have it.

=back

=head2 unreadable

Returns how many directories and files could not be read so far.

=head2 close

Frees its memory and closes its file descriptors now. Otherwise that happens with the last reference. A second call does
nothing.

=cut
