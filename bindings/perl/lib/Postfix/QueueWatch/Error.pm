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

# For a wrong argument that the library is not even asked about.
sub _refuse {
    my ($message) = @_;
    return _throw(INVALID(), 0, $message);
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

    use Postfix::QueueWatch;

    my $q = eval { Postfix::QueueWatch->scan(queue_directory => '/var/spool/postfix') };
    if (ref $@ && $@->isa('Postfix::QueueWatch::Error')) {
        warn "run me as root\n" if $@->code == Postfix::QueueWatch::Error::DENIED;
        warn $@;                        # the message, with your file and line
    }

=head1 DESCRIPTION

The exception of every method of L<Postfix::QueueWatch>. It is true in a condition. As a text it is the message with the
file and line of your call.

=head1 METHODS

=head2 code

The kind of failure: one of the constants below.

=head2 errno

The errno of the system call, or 0.

=head2 message

The whole text with cause and remedy, printable ASCII.

=head2 remedy

What to do about it, or C<undef> if no remedy is known. It is also part of the message.

=head2 path

The path in question, in bytes, or C<undef>.

=head2 offset

The offset of the first wrong byte of a rule, a measure or an option's value, from 0, or C<undef>.

=head2 file

The file of your call.

=head2 line

The line of your call.

=head2 text

The message, the file and line, and a newline.

=head1 CONSTANTS

=head2 INVALID

An argument is not valid.

=head2 SYNTAX

A rule, a measure or an option's value does not parse. C<offset> says where.

=head2 NOT_FOUND

The option, instance, file or directory does not exist.

=head2 DENIED

The system refused access.

=head2 IO

Another system call failed.

=head2 NOT_A_SPOOL

The directory has none of the queues.

=head2 TIMEOUT

The deadline passed before anything was known.

=head2 STATE

An object is closed or belongs to another thread, or a call came in the wrong order.

=head2 UNSUPPORTED

A feature that this build or this system does not have.

=head2 PANIC

A bug in the library.

=cut
