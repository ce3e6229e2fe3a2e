# The programs in the documentation run.
use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Test::More;

BEGIN {
    *CORE::GLOBAL::exit = sub { die 'exit ' . ($_[0] + 0) . "\n" };
}
use Postfix::QueueWatch;

my $spool = Corpus::spool();

sub synopsis {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    my ($inside, @lines) = (0);
    while (my $line = <$file>) {
        $inside = $1 eq 'SYNOPSIS' if $line =~ /\A=head1 (.*)/;
        push @lines, $line if $inside && $line =~ /\A {4}|\A\s*\z/;
    }
    close $file;
    return join '', @lines;
}

my $count = 0;
for my $path (sort 'lib/Postfix/QueueWatch.pm', glob 'lib/Postfix/QueueWatch/*.pm') {
    my $program = synopsis($path);
    next if $program !~ /\S/;
    $count++;
    $program =~ s{/var/spool/postfix}{$spool}g;
    my $output = '';
    my @warnings;
    {
        local $SIG{__WARN__} = sub { push @warnings, @_; return };
        open my $printed, '>', \$output or die "$!\n";
        my $before = select $printed;
        ## no critic (ProhibitStringyEval)
        eval "package Synopsis$count; use strict; use warnings; $program; 1" or $@ =~ /\Aexit [0-3]\n/ or push @warnings, $@;
        select $before;
        close $printed;
    }
    is_deeply(\@warnings, [], "$path: runs");
    like($output, qr/\S/, "$path: prints") if $path !~ /Error/;
}
is($count, 7, 'every class has one');

done_testing();
