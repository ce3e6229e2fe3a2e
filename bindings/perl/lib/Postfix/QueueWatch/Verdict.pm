package Postfix::QueueWatch::Verdict;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

# An object holds a pointer, which a new thread must not share.
sub CLONE_SKIP { return 1 }

1;

__END__

=head1 NAME

Postfix::QueueWatch::Verdict - the judgement of a snapshot

=head1 DESCRIPTION

Made by C<< $snapshot->check >>; see L<Postfix::QueueWatch/The verdict>.

=cut
