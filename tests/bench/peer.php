<?php
// peer.php - what a good PHP programmer writes for GET /<domain>/mailboxes: a persistent connection, statements that the
// server prepares (what the frameworks do, too), the same checks of key, account and domain, the same page from the same
// tables.

declare(strict_types=1);

function answer(int $status, array $body): never
{
    $text = json_encode($body, JSON_UNESCAPED_SLASHES) . "\n";
    http_response_code($status);
    header('Content-Type: application/json');
    header('Content-Length: ' . strlen($text));
    echo $text;
    exit;
}

function number(string $name, int $otherwise, int $greatest): int
{
    if (!isset($_GET[$name])) return $otherwise;
    $value = filter_var($_GET[$name], FILTER_VALIDATE_INT, ['options' => ['min_range' => 0, 'max_range' => $greatest]]);
    if ($value === false) answer(400, ['message' => "'$name' parameter must be a whole number from 0 to $greatest", 'code' => "bad_$name"]);
    return $value;
}

$key = $_SERVER['PHP_AUTH_PW'] ?? '';
if (($_SERVER['PHP_AUTH_USER'] ?? '') !== 'api' || !preg_match('/^mbx-[a-z2-7]{49}$/D', $key)) {
    header('WWW-Authenticate: Basic realm="mailboxes"');
    answer(401, ['message' => 'Forbidden', 'code' => 'unauthorized']);
}
if (!preg_match('{^/(?:v[23]/)?([^/?]+)/mailboxes/?(?:\?|$)}D', $_SERVER['REQUEST_URI'], $match)) {
    answer(404, ['message' => 'Not found', 'code' => 'not_found']);
}
$domain = strtolower(rawurldecode($match[1]));
$limit = number('limit', 100, 1000);
$skip = number('skip', 0, PHP_INT_MAX);

try {
    $database = new PDO('mysql:unix_socket=' . $_SERVER['DB_SOCKET'] . ';dbname=' . $_SERVER['DB_NAME'] . ';charset=utf8mb4',
        $_SERVER['DB_USER'], $_SERVER['DB_PASSWORD'], [
            PDO::ATTR_PERSISTENT => true,
            PDO::ATTR_EMULATE_PREPARES => false,
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM,
        ]);

    $statement = $database->prepare(
        'SELECT k.hash, k.revoked_at, k.expires_at, k.addresses, a.state, d.id, d.mailboxes
         FROM api_key k JOIN account a ON a.id = k.account_id
         LEFT JOIN domain d ON d.account_id = a.id AND d.name = ? AND d.id = COALESCE(k.domain_id, d.id)
         WHERE k.id = ?');
    $statement->execute([$domain, substr($key, 4, 10)]);
    $found = $statement->fetch();
    if (!$found || !hash_equals($found[0], hash('sha256', $key, true)) || $found[1] !== null
        || ($found[2] !== null && $found[2] <= time()) || $found[3] !== null) {
        header('WWW-Authenticate: Basic realm="mailboxes"');
        answer(401, ['message' => 'Forbidden', 'code' => 'unauthorized']);
    }
    if ($found[4] !== 'active') answer(403, ['message' => 'The account is suspended.', 'code' => 'suspended']);
    if ($found[5] === null) answer(404, ['message' => "Domain not found: $domain", 'code' => 'domain_not_found']);

    $statement = $database->prepare(
        'SELECT local_part, created_at, size_bytes FROM mailbox WHERE domain_id = ? ORDER BY id LIMIT ? OFFSET ?');
    $statement->bindValue(1, $found[5], PDO::PARAM_INT);
    $statement->bindValue(2, $limit, PDO::PARAM_INT);
    $statement->bindValue(3, $skip, PDO::PARAM_INT);
    $statement->execute();
    $items = [];
    foreach ($statement as [$local_part, $created_at, $size_bytes]) {
        $items[] = [
            'size_bytes' => (int) $size_bytes,
            'created_at' => gmdate('D, d M Y H:i:s \G\M\T', (int) $created_at),
            'mailbox' => "$local_part@$domain",
        ];
    }
} catch (PDOException $problem) {
    error_log($problem->getMessage());
    header('Retry-After: 1');
    answer(503, ['message' => 'Temporarily unavailable', 'code' => 'unavailable']);
}
answer(200, ['total_count' => (int) $found[6], 'items' => $items]);
