# As a monitoring system with embedded Perl runs plugins: each is compiled once into a package of its own, within one
# interpreter that lives on, `exit` is trapped, and standard output is caught.
use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Cwd qw(getcwd);
use Test::More;

BEGIN {
    *CORE::GLOBAL::exit = sub { die "ExitTrap: $_[0] (Redefine exit to trap plugin exit with eval BLOCK)\n" };
}
use Postfix::QueueWatch;

my $spool  = Corpus::spool();
my $script = do {
    open my $file, '<', "$Corpus::ROOT/examples/perl/check_deferred.pl" or die "no example: $!\n";
    local $/ = undef;
    <$file>;
};

sub compiled {
    my ($package) = @_;
    my $run = eval "package $package; sub { local \@ARGV = \@_; $script\n }";    ## no critic (ProhibitStringyEval)
    die $@ if !$run;
    return $run;
}

sub caught {
    my ($run, @arguments) = @_;
    my $output = '';
    open my $kept, '>&', \*STDOUT or die "$!\n";
    close STDOUT;
    open STDOUT, '>', \$output or die "$!\n";
    my $lived = eval { $run->(@arguments); 1 };
    my $why   = $@;
    close STDOUT;
    open STDOUT, '>&', $kept or die "$!\n";
    my ($code) = $lived ? 0 : $why =~ /\AExitTrap: ([0-9]+)/;
    return ($output, $code);
}

my $plugin = compiled('Plugin1');
my ($output, $code) = caught($plugin, $spool);
like($output, qr/\APOSTFIX QUEUE CRITICAL: .*deferred[.]oldest/, 'its output');
is($code, 2, 'its exit code');

my %before = (%ENV);
my ($directory, $mask, $name, $handlers) = (getcwd(), umask, $0, join ' ', map { "$_=" . ($SIG{$_} // '') } sort keys %SIG);
caught($plugin, $spool) for 1 .. 500;
my $resident = Corpus::resident();
my %answers;
for my $round (1 .. 2000) {
    my ($again, $state) = caught($plugin, $spool);
    $again =~ s/[0-9]+//g;
    $answers{"$state $again"}++;
}
is(scalar keys %answers, 1, '2000 rounds in one interpreter answer alike');
my $grown = Corpus::resident() - $resident;
cmp_ok($grown, '<', 1024, "and grow by $grown KiB");
($output, $code) = caught(compiled('Plugin2'), '/nonexistent/spool');
is($code, 3, 'another plugin beside it');
like($output, qr/\APOSTFIX QUEUE UNKNOWN: cannot open queue directory/, 'has its own answer');
is_deeply({%ENV}, \%before, 'the environment is as it was');
is(getcwd(), $directory, 'the working directory');
is(umask,    $mask,      'the umask');
is($0,       $name,      'the name');
is(join(' ', map { "$_=" . ($SIG{$_} // '') } sort keys %SIG), $handlers, 'the signals');

done_testing();
