# Several interpreters in one process, in C, plain and under valgrind. For those who change the module; needs a C
# compiler, valgrind, and the headers of perl.
use strict;
use warnings;

use lib 't/lib';
use Corpus;
use Cwd qw(getcwd);
use ExtUtils::Embed;
use File::Temp qw(tempdir);
use Test::More;

my $spool = Corpus::spool();
rename "$spool/corrupt", "$spool/elsewhere" or die "$!\n";
open my $file, '>', "$spool/corrupt" or die "$!\n";
close $file;

my $program = tempdir(CLEANUP => 1) . '/embedded';
my $options = join ' ', ExtUtils::Embed::ccopts(), ExtUtils::Embed::ldopts();
is(system("cc -o $program xt/embedded.c $options"), 0, 'it compiles');

my @command = ($program, $spool, map { "-I$_" } getcwd() . '/blib/lib', getcwd() . '/blib/arch');
is(qx(@command 2>&1), "5 interpreters\n", 'it runs');

# Rust's own handle of the host's thread is kept until that ends, and is "possibly lost".
my @valgrind = qw(valgrind --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite);
my $report   = qx(@valgrind @command 2>&1);
is($? >> 8, 0, 'and under valgrind') or diag($report);
like($report, qr/ERROR SUMMARY: 0 errors/,       'without an error');
like($report, qr/definitely lost: 0 bytes/, 'and without a leak');

done_testing();
