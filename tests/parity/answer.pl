#!/usr/bin/perl
# The Perl face of the parity test: answers the questions that answer.c describes.
use strict;
use warnings;

use Postfix::QueueWatch;

my ($spool, $now) = @ARGV;
my $q = Postfix::QueueWatch->scan(queue_directory => $spool, now => $now, metrics_top => 2);

sub line {
    my @fields = map { $_ // '' } @_;
    s/\n/\\n/g for @fields;
    return join "\t", @fields;
}

# Options by name, repeated ones as arrays.
sub options {
    my %options;
    for my $word (@_) {
        my ($name, $value) = split /=/, $word, 2;
        push @{ $options{$name} }, $value;
    }
    return %options;
}

my %answer = (
    measure => sub {
        my ($value, $quality, $detail) = $q->measure($_[0] // '');
        return line(defined $value ? sprintf('%.17g', $value) : '-', $quality + 0, $detail);
    },
    check => sub {
        my ($verbosity, @words) = @_;
        my $verdict = Postfix::QueueWatch->check(queue_directory => $spool, now => $now, options(@words));
        return line($verdict->state + 0, $verdict->output($verbosity));
    },
    fail     => sub { my $verdict = Postfix::QueueWatch->check(options(@_)); return line($verdict->state + 0, $verdict->output) },
    pick     => sub {
        my $cursor = Postfix::QueueWatch->scan(queue_directory => $spool, now => $now, options(@_))->messages;
        my $ids    = '';
        while (my $message = $cursor->next) { $ids .= "$message->{queue_id} " }
        return line($ids);
    },
    metrics  => sub { return line($q->openmetrics) },
    messages => sub {
        my $cursor = $q->messages($_[0]);
        my @sums   = (0) x 8;
        while (my $message = $cursor->next) {
            my @delays = grep { defined } @{ $message->{delays} };
            my @row    = (1, scalar @{ $message->{recipients} }, map { $_ // 0 } @{$message}{qw(size done arrival next_retry)});
            push @row, scalar @delays;
            push @row, length join '', $message->{sender}, $message->{queue_id}, @{ $message->{recipients} },
                map { $_->{status}, $_->{reason} } @delays;
            $sums[$_] += $row[$_] for 0 .. $#row;
        }
        return line(@sums);
    },
);

while (my $question = <STDIN>) {
    chomp $question;
    my ($kind, @words) = split /\t/, $question;
    my $line = eval { $answer{$kind}->(@words) };
    if (!defined $line) {
        my $error = $@;
        die $error if !ref $error;
        $line = line('error', map { $error->$_ } qw(code errno offset path message remedy));
    }
    print "$line\n";
}
