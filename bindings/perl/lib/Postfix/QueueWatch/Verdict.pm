package Postfix::QueueWatch::Verdict;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

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

The worst state found: as a number the exit code of a plugin, as a text C<OK>, C<WARNING>, C<CRITICAL> or C<UNKNOWN>. The
C<+ 0> above is for embedded Perl, whose C<exit> looks at the text.

=head2 summary

The first line of the plugin, without performance data and newline.

=head2 perfdata

The performance data of the plugin.

=head2 output

    print $verdict->output(1);

Just what C<check_postfix_queue> prints; the argument is the number of its C<-v>.

=head2 json

What C<check_postfix_queue --format json> prints.

=head2 findings

What is not OK, worst first: a list of hash references with C<measure>, C<range>, C<value> (C<undef> if unknown),
C<quality>, C<state>, and C<text>, for people.

=head2 close

Gives back its memory now. Otherwise that happens when it is forgotten. Twice is no harm.

=cut
