<?php

// losing_proxy.php - a proxy that loses answers: losing_proxy.php BASE_URL REQUEST COUNT
//
// Listens on a free port of 127.0.0.1, which it prints, and forwards one request after the other.
// It reads the answers to the first COUNT requests that begin with REQUEST to their end and then
// closes the connection without passing them on.

[, $base, $wanted, $remaining] = $argv;
$target = parse_url($base);
$isSecure = $target['scheme'] === 'https';
$port = $target['port'] ?? ($isSecure ? 443 : 80);
$upstream = ($isSecure ? 'ssl://' : 'tcp://') . "{$target['host']}:$port";

$listener = stream_socket_server('tcp://127.0.0.1:0');
echo substr(strrchr(stream_socket_get_name($listener, false), ':'), 1), "\n";

// Returns head and body of one HTTP message; an empty string if the connection ended before.
function read_message($stream): string
{
    $head = '';
    while (!str_ends_with($head, "\r\n\r\n")) {
        $line = fgets($stream);
        if ($line === false) {
            return '';
        }
        $head .= $line;
    }
    $length = preg_match('/^Content-Length: *([0-9]+)/mi', $head, $match) ? (int) $match[1] : 0;
    return $head . ($length > 0 ? stream_get_contents($stream, $length) : '');
}

while (true) {
    $client = @stream_socket_accept($listener, 3600);
    if ($client === false) {
        continue;
    }
    $request = read_message($client);
    if ($request === '') {
        continue;
    }
    $host = "Host: {$target['host']}:$port\r\nConnection: close";
    $server = stream_socket_client($upstream);
    fwrite($server, preg_replace('/^Host: [^\r\n]*/mi', $host, $request, 1));
    $answer = stream_get_contents($server);
    if ($remaining > 0 && str_starts_with($request, $wanted)) {
        $remaining--;
    } else {
        fwrite($client, $answer);
    }
    fclose($client);
    fclose($server);
}
