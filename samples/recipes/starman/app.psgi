# GET / and /slow, POST /echo; it tells with which deploy it came.

use strict;
use warnings;

sub {
    my ($env) = @_;
    select undef, undef, undef, 0.5 if $env->{PATH_INFO} eq '/slow';
    my $body = "hello\n";
    $env->{'psgi.input'}->read($body, $env->{CONTENT_LENGTH}) if $env->{REQUEST_METHOD} eq 'POST';
    return [200, ['Content-Length' => length $body, 'X-Deploy' => $ENV{ZDD_DEPLOY} // 0], [$body]];
};
