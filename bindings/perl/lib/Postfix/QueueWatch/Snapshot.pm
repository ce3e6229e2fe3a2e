package Postfix::QueueWatch::Snapshot;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

# An object holds a pointer, which a new thread must not share.
sub CLONE_SKIP { return 1 }

sub check {
    my ($self, %options) = @_;
    return Postfix::QueueWatch::Options->new(%options)->_check($self);
}

1;

__END__

=head1 NAME

Postfix::QueueWatch::Snapshot - the queues at one moment

=head1 DESCRIPTION

Made by C<< Postfix::QueueWatch->scan >>; see L<Postfix::QueueWatch/The snapshot>.

=cut
