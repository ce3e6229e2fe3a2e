package Postfix::QueueWatch::Options;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

# An object holds a pointer, which a new thread must not share.
sub CLONE_SKIP { return 1 }

# Options by keyword: an array sets a repeatable one once for each, undef sets nothing.
sub new {
    my ($class, %options) = @_;
    my $self = $class->_new;
    for my $keyword (sort keys %options) {
        (my $name = $keyword) =~ tr/_/-/;
        my $value = $options{$keyword};
        for my $one (ref $value eq 'ARRAY' ? @{$value} : $value) {
            next if !defined $one;
            $self->_set($name, $one);
        }
    }
    return $self;
}

1;

__END__

=head1 NAME

Postfix::QueueWatch::Options - options of a scan and a check

=head1 DESCRIPTION

What the keywords of L<Postfix::QueueWatch> become. Not for use by itself.

=cut
