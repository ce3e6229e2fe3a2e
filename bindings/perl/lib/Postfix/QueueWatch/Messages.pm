package Postfix::QueueWatch::Messages;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

# An object holds a pointer, which a new thread must not share.
sub CLONE_SKIP { return 1 }

1;

__END__

=head1 NAME

Postfix::QueueWatch::Messages - a cursor over messages

=head1 DESCRIPTION

Made by C<< $snapshot->messages >>; see L<Postfix::QueueWatch/The cursor>.

=cut
