<?php

// checks.php - what the tests of the modules share: checks, requests of their own, and a proxy.
//
// The tests talk to a running mailboxd. The environment names it:
//   BASE_URL      its address, for example http://127.0.0.1:8080
//   OPERATOR_KEY  an operator key that this machine may use
//   IMAP_URL      optional, for example imap://127.0.0.1:1143; passwords are then tried there

const UNUSED_PORT = 1;

$failures = 0;

// Prints one line. Remembers a failure for finish().
function check(string $name, mixed $expected, mixed $got): void
{
    global $failures;
    if ($expected === $got) {
        echo "ok $name\n";
        return;
    }
    $failures++;
    echo "FAILED $name: expected " . json_encode($expected) . ' got ' . json_encode($got) . "\n";
}

// The text must contain the part; it is printed if it does not.
function check_contains(string $name, string $part, string $got): void
{
    check($name, $part, str_contains($got, $part) ? $part : $got);
}

// None of the texts may contain one of the secrets. A text that does is not printed.
function check_no_secret(string $name, array $secrets, array $texts): void
{
    $found = 0;
    foreach ($texts as $text) {
        foreach ($secrets as $secret) {
            $found += (int) str_contains($text, $secret);
        }
    }
    check($name, 0, $found);
}

function finish(): never
{
    global $failures;
    echo $failures === 0 ? "all checks passed\n" : "$failures checks failed\n";
    exit($failures === 0 ? 0 : 1);
}

function environment(string $name): string
{
    $value = (string) getenv($name);
    if ($value === '') {
        fwrite(STDERR, "$name is not set; see the head of tests/integrations/checks.php\n");
        exit(2);
    }
    return $value;
}

// Sends a request to the service. Returns the status and the decoded answer.
function api(
    string $method,
    string $path,
    array $fields = [],
    string $account = '',
    ?string $key = null
): array {
    $curl = curl_init(rtrim(environment('BASE_URL'), '/') . $path);
    curl_setopt_array($curl, [
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_USERPWD => 'api:' . ($key ?? environment('OPERATOR_KEY')),
        CURLOPT_TIMEOUT => 60,
        CURLOPT_HTTPHEADER => $account === '' ? [] : ["X-Mailgun-On-Behalf-Of: $account"],
    ]);
    if ($method === 'POST' || $method === 'PUT') {
        curl_setopt($curl, CURLOPT_POSTFIELDS, http_build_query($fields));
    }
    $body = curl_exec($curl);
    return [
        (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE),
        (array) json_decode((string) $body, true),
    ];
}

// Returns the accounts whose names begin with the prefix, by name.
function accounts(string $prefix): array
{
    $query = http_build_query(['filter' => $prefix, 'limit' => 100]);
    $list = api('GET', "/v5/accounts/subaccounts?$query")[1]['subaccounts'] ?? [];
    return array_column($list, null, 'name');
}

// Returns `id`, `status` or another member of the account; null if there is none.
function account(string $name, string $member): mixed
{
    return accounts($name)[$name][$member] ?? null;
}

function domain(string $name): array
{
    return api('GET', "/v3/domains/$name")[1]['domain'] ?? [];
}

// Creates an account with a domain by the API alone. Returns the account's id.
function occupy(string $account, string $domain): string
{
    $answer = api('POST', '/v5/accounts/subaccounts', ['name' => $account, 'max_domains' => 1]);
    $id = (string) ($answer[1]['subaccount']['id'] ?? '');
    $fields = ['name' => $domain, 'smtp_password' => 'another horse battery'];
    check("$account has $domain", 200, api('POST', '/v3/domains', $fields, $id)[0]);
    return $id;
}

function remove(string $account): void
{
    api('DELETE', '/v5/accounts/subaccounts?with_mailboxes=yes', [], $account);
}

// Returns the secret of a new key of the account, which may read.
function key_of_account(string $account): string
{
    $fields = ['role' => 'basic', 'description' => 'test of the integrations'];
    return (string) (api('POST', '/v1/keys', $fields, $account)[1]['key']['secret'] ?? '');
}

// Checks whether postmaster can log in. Does nothing without IMAP_URL.
function check_login(string $name, bool $expected, string $domain, string $password): void
{
    $url = (string) getenv('IMAP_URL');
    if ($url === '') {
        return;
    }
    $curl = curl_init("$url/INBOX");
    curl_setopt_array($curl, [
        CURLOPT_USERPWD => "postmaster@$domain:$password",
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 60,
        CURLOPT_CUSTOMREQUEST => 'NOOP',
    ]);
    curl_exec($curl);
    check($name, $expected, curl_errno($curl) === 0);
}

// A proxy in front of the real service that loses some of its answers, as a broken connection
// does: it forwards the request, waits for the answer and closes the connection.
final class LosingProxy
{
    public readonly int $port;
    private $process;
    private array $pipes = [];

    // Loses the first `count` answers to requests that begin with `request`, for example
    // "POST /v3/domains".
    public function __construct(string $request, int $count)
    {
        $command = [
            PHP_BINARY, __DIR__ . '/losing_proxy.php', environment('BASE_URL'), $request, "$count",
        ];
        $this->process = proc_open($command, [1 => ['pipe', 'w']], $this->pipes);
        $this->port = (int) fgets($this->pipes[1]);
    }

    public function stop(): void
    {
        proc_terminate($this->process);
        proc_close($this->process);
    }
}
