package Postfix::QueueWatch::Verdict;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

use JSON::PP ();

sub document {
    my ($self) = @_;
    return JSON::PP->new->decode(json($self));
}

1;

__END__

=head1 NAME

Postfix::QueueWatch::Verdict - the judgement of a snapshot

=head1 SYNOPSIS

    use Postfix::QueueWatch;

    my $verdict = Postfix::QueueWatch->check(queue_directory => '/var/spool/postfix', critical => 'deferred.oldest=1d');
    print $verdict->output;
    exit $verdict->state + 0;

=head1 DESCRIPTION

Made by L<Postfix::QueueWatch/check>, and by C<check> of a L<Postfix::QueueWatch::Snapshot>. It does not change.

=head1 METHODS

=head2 state

Returns the worst state: as a number the exit code of a plugin, as a text C<OK>, C<WARNING>, C<CRITICAL> or C<UNKNOWN>. The
C<+ 0> above is for embedded Perl, whose C<exit> takes the text.

=head2 summary

Returns the first line of the plugin, without performance data and newline.

=head2 perfdata

Returns the performance data of the plugin.

=head2 output

    print $verdict->output(1);

Returns exactly what C<check_postfix_queue> prints. The argument is the number of C<-v>.

=head2 json

Returns what C<check_postfix_queue --format json> prints.

=head2 document

    print "$_->{text}\n" for @{ $verdict->document->{findings} };

Returns what C<json> returns, decoded: a hash reference of its own at each call. C<true> and C<false> in it are those of
L<JSON::PP>.

=head2 findings

Returns what is not OK, worst first: a list of hash references with C<measure>, C<range>, C<value> (C<undef> if unknown),
C<quality>, C<state>, and C<text>, a sentence.

=head2 close

Frees its memory now. Otherwise Perl frees it with the last reference. A second call does nothing.

=cut
