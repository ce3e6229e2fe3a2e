package Postfix::QueueWatch::Error;

use 5.014;
use strict;
use warnings;

our $VERSION = '0.001000';

use overload
    q{""}    => \&text,
    'bool'   => sub { return 1 },
    'eq'     => sub { my ($self, $other) = @_; return $self->text eq "$other" },
    fallback => 1;

# Called by the binding with what the library said; the place is the first outside of the binding.
sub _throw {
    my ($code, $errno, $message, $path, $remedy, $offset) = @_;
    my ($file, $line) = ('unknown', 0);
    my $depth = 0;
    while (my ($package, $caller_file, $caller_line) = caller $depth++) {
        next if $package =~ /\APostfix::QueueWatch(?:::|\z)/;
        ($file, $line) = ($caller_file, $caller_line);
        last;
    }
    my $self = bless {
        code    => $code,
        errno   => $errno,
        message => $message,
        path    => $path,
        remedy  => $remedy,
        offset  => $offset,
        file    => $file,
        line    => $line,
    }, __PACKAGE__;
    die $self;
}

sub code    { my ($self) = @_; return $self->{code} }
sub errno   { my ($self) = @_; return $self->{errno} }
sub message { my ($self) = @_; return $self->{message} }
sub path    { my ($self) = @_; return $self->{path} }
sub remedy  { my ($self) = @_; return $self->{remedy} }
sub offset  { my ($self) = @_; return $self->{offset} }
sub file    { my ($self) = @_; return $self->{file} }
sub line    { my ($self) = @_; return $self->{line} }

sub text {
    my ($self) = @_;
    return "$self->{message} at $self->{file} line $self->{line}.\n";
}

1;

__END__

=head1 NAME

Postfix::QueueWatch::Error - what failed, why, and what to do about it

=head1 SYNOPSIS

    my $q = eval { Postfix::QueueWatch->scan(queue_directory => $directory) };
    if (my $error = $@) {
        warn $error;                    # with your file and line
        warn $error->remedy if ref $error && defined $error->remedy;
    }

=head1 METHODS

C<code> (QW_ERR_ of queuewatch.h), C<errno> (0 if the system gave none), C<message> (whole, with cause and remedy),
C<remedy>, C<path> (bytes), C<offset> (of the first wrong byte of a rule), C<file> and C<line> of your call. As a text it
is the message with that place.

=cut
