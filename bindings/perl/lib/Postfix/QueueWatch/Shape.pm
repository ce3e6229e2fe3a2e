package Postfix::QueueWatch::Shape;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

use JSON::PP ();

# Flags of queuewatch.h.
my %FLAGS = (senders => 2, parents => 4);

# The table to be made: flags, min_subdomains, width.
sub _how {
    my ($width, @how) = @_;
    Postfix::QueueWatch::Error::_refuse('options are pairs of a name and a value') if @how % 2;
    my %how   = @how;
    my $flags = 0;
    for my $name (sort keys %FLAGS) {
        $flags |= $FLAGS{$name} if delete $how{$name};
    }
    my $min = delete $how{min_subdomains} // 0;
    $width = delete $how{width} // 0 if defined $width;
    for my $unknown (sort keys %how) {
        Postfix::QueueWatch::Error::_refuse("a table takes senders, parents, min_subdomains and width, not $unknown");
    }
    return ($flags, $min, $width // ());
}

sub text {
    my ($self, $queue, @how) = @_;
    return _text($self, $queue, _how(0, @how));
}

sub json {
    my ($self, $queue, @how) = @_;
    return _json($self, $queue, _how(undef, @how));
}

sub document {
    my ($self, $queue, @how) = @_;
    return JSON::PP->new->decode(json($self, $queue, @how));
}

sub rows {
    my ($self, $queue, @how) = @_;
    return _rows($self, $queue, _how(undef, @how));
}

1;

__END__

=head1 NAME

Postfix::QueueWatch::Shape - recipients and senders by domain and age

=head1 SYNOPSIS

    use Postfix::QueueWatch;

    my $shape = Postfix::QueueWatch->shape(queue_directory => '/var/spool/postfix');
    print $shape->text('deferred');
    print $shape->text('deferred', senders => 1);
    my ($total) = grep { $_->{domain} eq 'TOTAL' } $shape->rows('hold');

=head1 DESCRIPTION

Made by L<Postfix::QueueWatch/shape>, for every queue, by recipient and by sender, in one scan. It does not change.

The first argument of its methods is a queue, C<backlog> or C<total>, or C<undef> for all queues. Pairs may follow:
C<senders> counts messages by sender domain, C<parents> adds rows for parent domains, C<min_subdomains> (5) and, for the
text, C<width> (80) are C<-m> and C<-w> of qshape.

=head1 METHODS

=head2 text

Returns the table that qshape prints, byte for byte.

=head2 rows

Returns the rows of that table in the same order, C<TOTAL> among them: a list of hash references with C<domain> (with a leading dot a parent
domain), C<total>, and C<counts>, an array reference with a number for each column.

=head2 json

Returns the same as a JSON document, schema queuewatch/1.

=head2 document

Returns what C<json> returns, decoded: a hash reference of its own at each call. C<true> and C<false> in it are those of
L<JSON::PP>.

=head2 complete

Returns true if everything could be read. If not, figures are lower bounds.

=head2 close

Frees its memory now. Otherwise Perl frees it with the last reference. A second call does nothing.

=cut
