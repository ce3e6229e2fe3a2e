# Every method has its documentation, and it is well formed. For those who change the module; needs Test::Pod::Coverage.
use strict;
use warnings;

use Pod::Checker;
use Test::More;
use Test::Pod::Coverage;

my @modules = Test::Pod::Coverage::all_modules('lib');
is(scalar @modules, 8, 'all modules');
for my $module (@modules) {
    pod_coverage_ok($module, { also_private => [qr/\ACLONE\z/] });
    (my $path = "lib/$module.pm") =~ s{::}{/}g;
    my $checker = Pod::Checker->new(-warnings => 2);
    open my $sink, '>', \my $report or die "$!\n";
    $checker->parse_from_file($path, $sink);
    is($checker->num_errors + $checker->num_warnings, 0, "$path is well formed") or diag($report);
}

done_testing();
