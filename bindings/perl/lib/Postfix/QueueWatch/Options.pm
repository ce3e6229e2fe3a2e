package Postfix::QueueWatch::Options;

use 5.014;
use strict;
use warnings;

use overload ();

our $VERSION = '0.001000';

# Options by keyword: an array sets a repeatable one once for each, undef sets nothing.
sub new {
    my ($class, @options) = @_;
    Postfix::QueueWatch::Error::_refuse('options are pairs of a name and a value') if @options % 2;
    my %options = @options;
    my $self    = $class->_new;
    # It would negate whichever filter is set next.
    Postfix::QueueWatch::Error::_refuse('not: options of Perl have no order; give not_sender => NAME, and so for each filter')
        if $options{not};
    for my $keyword (sort keys %options) {
        (my $name = $keyword) =~ tr/_/-/;
        my $value = $options{$keyword};
        for my $one (ref $value eq 'ARRAY' ? @{$value} : $value) {
            next if !defined $one;
            if (ref $one && !overload::Method($one, q{""})) {
                Postfix::QueueWatch::Error::_refuse("$keyword: a text, a number, or an array of them, not a reference");
            }
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

The options that the keywords of L<Postfix::QueueWatch/scan> are converted to. You do not need it yourself.

=head1 METHODS

=head2 new

    my $options = Postfix::QueueWatch::Options->new(queue_directory => '/var/spool/postfix');

The library checks the names and values of the options.

=cut
