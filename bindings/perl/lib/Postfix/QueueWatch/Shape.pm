package Postfix::QueueWatch::Shape;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

# Flags of queuewatch.h.
my %FLAGS = (senders => 2, parents => 4);

# An object holds a pointer, which a new thread must not share.
sub CLONE_SKIP { return 1 }

sub _flags {
    my ($how) = @_;
    my $flags = 0;
    for my $name (keys %FLAGS) {
        $flags |= $FLAGS{$name} if $how->{$name};
    }
    return $flags;
}

sub text {
    my ($self, $queue, %how) = @_;
    return $self->_text($queue, _flags(\%how), $how{min_subdomains} // 0, $how{width} // 0);
}

sub json {
    my ($self, $queue, %how) = @_;
    return $self->_json($queue, _flags(\%how), $how{min_subdomains} // 0);
}

sub rows {
    my ($self, $queue, %how) = @_;
    return $self->_rows($queue, _flags(\%how), $how{min_subdomains} // 0);
}

1;

__END__

=head1 NAME

Postfix::QueueWatch::Shape - recipients and senders by domain and age

=head1 DESCRIPTION

Made by C<< Postfix::QueueWatch->shape >>; see L<Postfix::QueueWatch/The shape>.

=cut
