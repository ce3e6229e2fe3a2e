package Postfix::QueueWatch;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

require XSLoader;
XSLoader::load('Postfix::QueueWatch', $VERSION);

use Postfix::QueueWatch::Error;
use Postfix::QueueWatch::Messages;
use Postfix::QueueWatch::Options;
use Postfix::QueueWatch::Shape;
use Postfix::QueueWatch::Snapshot;
use Postfix::QueueWatch::Verdict;
use Postfix::QueueWatch::Watch;

# Levels of the log function, by number (queuewatch.h).
my %LEVEL = (error => 1, warn => 2, info => 3, debug => 4, trace => 5);

# Options that are of other calls, and would have no effect here.
my @COLUMNS = qw(bucket_count bucket_time linear);
my @FILTERS = qw(recipient sender domain reason cause next_hop login client subject older younger expiring larger);
my %UNUSED = (
    scan  => ['poll', @COLUMNS],
    watch => [qw(timeout previous), @COLUMNS],
    shape => [
        qw(poll previous warning critical defaults exclude_domain exclude_sender causes counts measure metrics_domain metrics_top),
        @FILTERS, map { "not_$_" } @FILTERS
    ],
);

sub _refuse_unused {
    my ($call, @options) = @_;
    return if @options % 2;
    my %options = @options;
    my %unused  = map { $_ => 1 } @{ $UNUSED{$call} };
    for my $keyword (sort keys %options) {
        (my $name = $keyword) =~ tr/-/_/;
        Postfix::QueueWatch::Error::_refuse("$call has no use for $name") if $unused{$name} && defined $options{$keyword};
    }
    return;
}

sub scan {
    my ($class, @options) = @_;
    _refuse_unused('scan', @options);
    my $options  = Postfix::QueueWatch::Options->new(@options);
    my $snapshot = $options->_scan;
    $snapshot->_keep({@options});
    return $snapshot;
}

sub check {
    my ($class, @options) = @_;
    return $class->scan(@options)->check;
}

sub watch {
    my ($class, @options) = @_;
    _refuse_unused('watch', @options);
    my $options = Postfix::QueueWatch::Options->new(@options);
    my $watch   = $options->_watch;
    $watch->_keep({@options});
    return $watch;
}

sub shape {
    my ($class, %options) = @_;
    my $all = delete $options{all};
    _refuse_unused('shape', %options);
    return Postfix::QueueWatch::Options->new(%options)->_shape($all ? 1 : 0);
}

sub log_to {
    my ($class, $function, $level) = @_;
    $level //= 'info';
    if (defined $function && ref $function ne 'CODE') {
        Postfix::QueueWatch::Error::_refuse('a log function is a code reference, or undef');
    }
    if (!$LEVEL{$level}) {
        Postfix::QueueWatch::Error::_refuse("there is no log level $level: error, warn, info, debug, trace");
    }
    _log_to($function, $LEVEL{$level});
    return;
}

1;

__END__

=encoding utf8

=head1 NAME

Postfix::QueueWatch - what is stuck in a Postfix queue, since when, for whom, and why

=head1 SYNOPSIS

    use Postfix::QueueWatch;

    my $q = Postfix::QueueWatch->scan(queue_directory => '/var/spool/postfix', timeout => 10);
    printf "%s deferred, the oldest for %s seconds\n",
        $q->measure('deferred.messages') // 'unknown', $q->measure('deferred.oldest') // 'unknown';

    my $cursor = $q->messages('deferred');
    while (my $message = $cursor->next) {
        print "$message->{queue_id} @{ $message->{recipients} }\n";
    }

    my $verdict = $q->check(critical => ['deferred.older(4h)=100']);
    print $verdict->output;
    exit $verdict->state + 0;

=head1 DESCRIPTION

A thin binding of libqueuewatch, which reads the spool itself. It runs no C<mailq> and needs no daemon. Measures, rules,
options and texts are those of the plugin C<check_postfix_queue>. Its C<--help> and the guide list them.

Arguments and results are bytes, as in the queue files. A method dies if a text has wide characters: encode it first.

=head1 CLASS METHODS

=head2 scan

    my $q = Postfix::QueueWatch->scan(config_directory => '/etc/postfix', exclude => ['hold', 'corrupt']);

Reads the spools, and returns a L<Postfix::QueueWatch::Snapshot>. Options are the long options of C<check_postfix_queue>
with C<_> for C<->, such as C<queue_directory>, C<config_directory>, C<all_instances>, C<instance>, C<exclude>,
C<exclude_domain>, C<exclude_sender>, C<counts>, C<timeout>, C<now>; and two more: C<measure> limits the scan to what those
measures need, and C<previous> is the C<state> of an earlier snapshot, from which growth is computed. An array reference
sets an option once for each element. C<undef> does not set it. A true or false value turns a switch on or off. Without
options the default instance is read.

Filters pick which rows C<messages> gives, and change no sums: C<recipient>, C<sender>, C<domain>, C<reason>, C<cause>,
C<next_hop>, C<login>, C<client>, C<subject>, C<older>, C<younger>, C<expiring> and C<larger>. C<not_> before the name of one
(C<not_sender>) leaves out what it picks.

=head2 check

    my $verdict = Postfix::QueueWatch->check(warning => 'deferred.oldest=4h', timeout => 10);

Scans and judges in one call: takes the options of both, and returns a L<Postfix::QueueWatch::Verdict>.

=head2 shape

    print Postfix::QueueWatch->shape(queue_directory => '/var/spool/postfix')->text('deferred');

Counts recipients and senders of every queue by domain and age, as qshape does, and returns a
L<Postfix::QueueWatch::Shape>. It takes the options of C<scan> that say which spool and queues, as of when, and with how many
threads; C<bucket_count>, C<bucket_time> and C<linear>, which make the columns; and C<all>, which counts what qshape leaves out.

=head2 watch

    my $watch = Postfix::QueueWatch->watch(queue_directory => '/var/spool/postfix', warning => 'deferred.oldest=4h');

Starts to watch the queues by inotify and returns a L<Postfix::QueueWatch::Watch>. It takes the options of C<scan> and
C<check> but C<timeout> and C<previous>, and C<poll>, the seconds between two looks without inotify.

=head2 log_to

    Postfix::QueueWatch->log_to(sub { my ($level, $target, $message) = @_; warn "$level: $message\n" }, 'debug');

Passes log records to a function: the level (C<error>, C<warn>, C<info>, C<debug> or C<trace>), the part of the library,
and the message. The library does not make records below the level (by default C<info>). The function runs at the end of
the call that logged. It may use this module. If it dies, that call dies with the same exception, unless the call itself
failed. C<undef> ends logging. Nothing is logged by default. The level is one for the whole process. Each interpreter has
its own function, so a new thread has none.

=head2 library_version

The version of the library that is loaded, such as C<0.1.0>.

=head1 CONSTANTS

The qualities of a figure. A method returns such a number, which is as a text C<exact>, C<at least> or C<unknown>.

=head2 EXACT

C<Postfix::QueueWatch::EXACT>: everything that the figure depends on was read.

=head2 AT_LEAST

Something could not be read: the figure is a lower bound.

=head2 UNKNOWN

The figure is not known.

=head1 ERRORS

An option that a call has no use for is refused: C<poll> of a scan, C<timeout> of a watch, rules and filters of a shape.

Methods die with a L<Postfix::QueueWatch::Error>, which names the file and line of your call. A part of a spool that could
not be read is not an error: see C<problems> of the snapshot and the quality of each figure.

=head1 THREADS, PROCESSES, EMBEDDED PERL

Objects belong to the interpreter that made them: in a new thread they are closed. A child process may start a scan of its
own. No method exits, prints or changes the state of the process, so the module can run in the embedded Perl of a monitoring
system. C<scan> returns after its own threads have ended.

=head1 SEE ALSO

L<Postfix::QueueWatch::Snapshot>, L<Postfix::QueueWatch::Messages>, L<Postfix::QueueWatch::Shape>,
L<Postfix::QueueWatch::Verdict>, L<Postfix::QueueWatch::Watch>, L<Postfix::QueueWatch::Error>, C<queuewatch.h>

=head1 COPYRIGHT AND LICENSE

This software is Copyright (c) 2026 by the queuewatch contributors. You may use it under the MIT (X11) License, or under
the Apache License, Version 2.0, January 2004, as you choose. The file F<LICENSE> has both texts.

=cut
