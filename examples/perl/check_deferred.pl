#!/usr/bin/perl
# A plugin in Perl: who waits in deferred, and for how long? For cron, NRPE, or the embedded Perl of Nagios.
use strict;
use warnings;

use Postfix::QueueWatch;

my $verdict = eval {
    my $q = Postfix::QueueWatch->scan(@ARGV ? (queue_directory => $ARGV[0]) : (), timeout => 10);
    $q->check(warning => ['deferred.oldest=4h'], critical => ['deferred.oldest=1d', 'deferred.top_domain=10000']);
};
if (!$verdict) {
    print "POSTFIX QUEUE UNKNOWN: $@";
    exit 3;
}
print $verdict->output;
exit $verdict->state + 0;    # a number, for embedded Perl
