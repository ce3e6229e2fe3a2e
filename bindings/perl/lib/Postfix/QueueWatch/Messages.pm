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
any length takes no more memory than one message does. Mail that moves meanwhile may be told twice or not at all, as by
C<mailq>. Use it in the process that made it.

=head1 METHODS

=head2 next

The next message as a hash reference; C<undef> after the last.

=over

=item instance, queue, queue_id

Where it is: the names of its instance and its queue, and its queue ID.

=item sender

The envelope sender, in bytes; empty for the null sender, which Postfix's tools show as MAILER-DAEMON.

=item recipients

An array reference: the recipients still to be delivered, in bytes.

=item delays

Another, one for each of them: why it waits, as a hash reference with C<status> (the enhanced status code), C<reason>
and C<address> (the one that was tried); C<undef> where no delay reason is on record.

=item arrival, next_retry

Seconds of the epoch; C<undef> if the file does not say, or it is not deferred.

=item size

In bytes, as C<mailq> prints it.

=item done

How many recipients need no more delivery.

=item mode

Permission bits of the file.

=item damaged, forced_expire

1 or 0: whether it is no valid queue file, and whether it is marked for expiry.

=item origin_by, login, client, client_name, helo, user

Where it came from: what that is known by (C<login>, C<client>, C<user> or C<unknown>), the SASL login, the address and name
of the client, what it said in HELO, and the number of the local user; C<undef> where nothing is on record.

=back

=head2 unreadable

How many directories and files could not be read up to here.

=head2 close

Gives back its memory and file descriptors now. Otherwise that happens when it is forgotten. Twice is no harm.

=cut
