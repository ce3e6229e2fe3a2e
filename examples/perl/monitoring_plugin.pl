#!/usr/bin/perl
# A check by Monitoring::Plugin that takes its figure from Postfix::QueueWatch.
use strict;
use warnings;

use Monitoring::Plugin;
use Postfix::QueueWatch;

my $plugin = Monitoring::Plugin->new(
    shortname => 'POSTFIX DEFERRED',
    usage     => 'Usage: %s -w RANGE -c RANGE [-q DIR]',
);
$plugin->add_arg(spec => 'warning|w=s',  help => 'range of seconds', default => '14400');
$plugin->add_arg(spec => 'critical|c=s', help => 'range of seconds', default => '86400');
$plugin->add_arg(spec => 'queue-directory|q=s', help => 'the spool', default => '/var/spool/postfix');
$plugin->getopts;

my $queue = eval {
    Postfix::QueueWatch->scan(queue_directory => $plugin->opts->get('queue-directory'), timeout => 8);
};
$plugin->plugin_exit(UNKNOWN, "$@") if !$queue;

my ($age,      $quality) = $queue->measure('deferred.oldest');
my ($messages, $counted) = $queue->measure('deferred.messages');
if ($quality != Postfix::QueueWatch::EXACT || $counted != Postfix::QueueWatch::EXACT) {
    my ($problem) = $queue->problems;
    $plugin->plugin_exit(UNKNOWN, $problem ? $problem->{message} : 'not all could be read');
}
my $threshold = $plugin->set_thresholds(
    warning  => $plugin->opts->warning,
    critical => $plugin->opts->critical,
);
$plugin->add_perfdata(label => 'deferred_oldest', value => $age, uom => 's', threshold => $threshold);
$plugin->add_perfdata(label => 'deferred', value => $messages);
$plugin->plugin_exit($plugin->check_threshold($age), "$messages messages, the oldest of $age seconds");
