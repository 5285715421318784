<?php

/*
 * mailboxd.php - the WHMCS provisioning module of mailboxd.
 *
 * One service is one account of mailboxd with one domain. The account's name is NAME-<service id>,
 * where NAME is the server's username in WHMCS, or `whmcs` if that is empty.
 *
 * Each function returns 'success' or a sentence for the administrator. Each can be repeated: after
 * a failure, or when its answer was lost. No message and no log entry contains the operator key
 * or a password.
 */

use WHMCS\Database\Capsule;

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

// A request that failed. The message is for the administrator. `status` is the HTTP status, 0 if
// there was no answer; `word` is the server's `code`, empty if it sent none.
final class MailboxdError extends Exception
{
    public function __construct(
        string $message,
        public readonly int $status = 0,
        public readonly string $word = ''
    ) {
        parent::__construct($message);
    }
}

// One service of WHMCS and the mailboxd server that it is on.
final class MailboxdService
{
    private const CONNECT_SECONDS = 10;
    private const ANSWER_SECONDS = 60;
    private const PAGE = 1000;

    // The request may have been carried out, although its answer did not arrive.
    private const LOST_ANSWERS = [
        CURLE_OPERATION_TIMEOUTED,
        CURLE_GOT_NOTHING,
        CURLE_PARTIAL_FILE,
        CURLE_SEND_ERROR,
        CURLE_RECV_ERROR,
    ];
    private const GATEWAY_ERRORS = [502, 503, 504];

    private string $url;
    private string $key;
    private string $domain;
    private string $password;

    public function __construct(private array $params, private string $function)
    {
        $this->key = $this->text('serverpassword') ?: $this->text('serveraccesshash');
        $this->domain = $this->text('domain');
        // Not trimmed: a password may begin or end with a space.
        $this->password = (string) ($params['password'] ?? '');
        $this->url = $this->serverUrl();
        if ($this->key === '') {
            throw new MailboxdError('The server has no operator key: enter it as its password.');
        }
    }

    // Runs one function of the module. Returns 'success' or what failed.
    public static function run(array $params, string $function, callable $work): string
    {
        try {
            $work(new self($params, $function));
            return 'success';
        } catch (Throwable $error) {
            return $error->getMessage();
        }
    }

    // Creates account, domain and postmaster. An account that an earlier attempt has left is
    // completed. If the domain cannot be created, the account is deleted again.
    public function create(): void
    {
        $this->requireDomain();
        $limits = $this->limits();
        $id = $this->findAccount()['id'] ?? null;
        if ($id === null) {
            $id = $this->createAccount($limits['max_mailboxes']);
        } elseif ($this->ownsDomain($id)) {
            $this->setPassword($id);
            $this->setLimits($id, $limits);
            return;
        } else {
            $this->refuseOtherDomains($id);
        }
        try {
            $this->createDomain($id, $limits);
        } catch (MailboxdError $error) {
            throw $this->undo($id, $error);
        }
    }

    public function suspend(): void
    {
        $this->request('POST', '/v5/accounts/subaccounts/' . $this->accountId() . '/disable');
    }

    public function unsuspend(): void
    {
        $this->request('POST', '/v5/accounts/subaccounts/' . $this->accountId() . '/enable');
    }

    // Deletes the account with its domain and mailboxes. Does nothing if there is no such account.
    public function terminate(): void
    {
        $account = $this->findAccount();
        if ($account === null) {
            return;
        }
        if ($this->domain === '' || !$this->ownsDomain($account['id'])) {
            $this->refuseOtherDomains($account['id']);
        }
        $this->deleteAccount($account['id']);
    }

    public function changePackage(): void
    {
        $this->requireDomain();
        $limits = $this->limits();
        $this->setLimits($this->accountId(), $limits);
    }

    public function changePassword(): void
    {
        $this->requireDomain();
        $this->setPassword($this->accountId());
    }

    // Writes the disk usage of the server's services into tblhosting, in MB, rounded up.
    public function updateUsage(): void
    {
        $server = (int) ($this->params['serverid'] ?? 0);
        $services = [];
        $rows = Capsule::table('tblhosting')
            ->where('server', $server)
            ->whereIn('domainstatus', ['Active', 'Suspended'])
            ->pluck('domain', 'id');
        foreach ($rows as $id => $domain) {
            $services[self::asciiDomain((string) $domain)][] = $id;
        }
        foreach ($this->pages('/v1/usage', ['by' => 'domain'], 'items', 'total_count') as $item) {
            foreach ($services[self::asciiDomain((string) $item['domain'])] ?? [] as $id) {
                Capsule::table('tblhosting')->where('id', $id)->update([
                    'diskusage' => (int) ceil($item['size_bytes'] / (1024 * 1024)),
                    'lastupdate' => Capsule::raw('now()'),
                ]);
            }
        }
    }

    public function testConnection(): void
    {
        $this->request('GET', '/v5/accounts/subaccounts?limit=1');
    }

    private function createAccount(string $maxMailboxes): string
    {
        $answer = $this->request('POST', '/v5/accounts/subaccounts', [
            'name' => $this->accountName(),
            'max_mailboxes' => $maxMailboxes,
            'max_domains' => 1,
        ], '', $this->idempotencyKey('account'));
        return self::idOf($answer['subaccount'] ?? null);
    }

    private function createDomain(string $id, array $limits): void
    {
        try {
            $this->request('POST', '/v3/domains', [
                'name' => $this->domain,
                'smtp_password' => $this->password,
            ] + $limits, $id, $this->idempotencyKey('domain'));
        } catch (MailboxdError $error) {
            // Another request for the same service may have created the domain just now.
            if ($error->word !== 'domain_exists' || !$this->ownsDomain($id)) {
                throw $error;
            }
            $this->setPassword($id);
        }
    }

    // Deletes the new account. Returns the error that was the reason, with a remark if the
    // account is still there.
    private function undo(string $id, MailboxdError $reason): MailboxdError
    {
        try {
            $this->deleteAccount($id);
            return $reason;
        } catch (MailboxdError $error) {
            return new MailboxdError(
                $reason->getMessage() . ' The account ' . $this->accountName() . ' may be left: '
                . $error->getMessage() . ' Repeat the creation, or terminate the service.',
                $reason->status,
                $reason->word
            );
        }
    }

    private function deleteAccount(string $id): void
    {
        try {
            $this->request('DELETE', '/v5/accounts/subaccounts?with_mailboxes=yes', [], $id);
        } catch (MailboxdError $error) {
            if ($error->status !== 404) {
                throw $error;
            }
        }
    }

    private function setLimits(string $id, array $limits): void
    {
        $account = ['max_mailboxes' => $limits['max_mailboxes']];
        $this->request('PUT', '/v5/accounts/subaccounts/' . rawurlencode($id), $account);
        $this->request('PUT', $this->domainPath(), $limits, $id);
    }

    private function setPassword(string $id): void
    {
        $path = '/v3/' . rawurlencode($this->domain) . '/mailboxes/postmaster';
        $this->request('PUT', $path, ['password' => $this->password], $id);
    }

    private function ownsDomain(string $id): bool
    {
        try {
            $this->request('GET', $this->domainPath(), [], $id);
            return true;
        } catch (MailboxdError $error) {
            if ($error->status === 404) {
                return false;
            }
            throw $error;
        }
    }

    // Throws if the account has a domain. The caller knows that it is not the service's domain.
    // The account may be that of another WHMCS, or the service's domain was changed by hand.
    private function refuseOtherDomains(string $id): void
    {
        $domains = $this->request('GET', '/v3/domains?limit=1', [], $id);
        if (($domains['total_count'] ?? 0) > 0) {
            throw new MailboxdError(
                'The account ' . $this->accountName() . ' has other domains, but not '
                . $this->domain . '. Nothing was changed. Correct the domain of the service; if '
                . 'another WHMCS uses the same mailboxd, give each server entry its own username.'
            );
        }
    }

    // Returns the service's account; null if there is none.
    private function findAccount(): ?array
    {
        $name = $this->accountName();
        $parameters = ['filter' => $name, 'sort' => 'asc'];
        $accounts = $this->pages('/v5/accounts/subaccounts', $parameters, 'subaccounts', 'total');
        foreach ($accounts as $account) {
            if (($account['name'] ?? '') === $name) {
                return ['id' => self::idOf($account)] + $account;
            }
        }
        return null;
    }

    // Returns the id of the service's account. Throws if there is none.
    private function accountId(): string
    {
        $account = $this->findAccount();
        if ($account === null) {
            throw new MailboxdError(
                'There is no account ' . $this->accountName() . '. Create the service first.'
            );
        }
        return rawurlencode($account['id']);
    }

    private function accountName(): string
    {
        $name = $this->text('serverusername');
        if ($name === '' || $name === 'api') {
            $name = 'whmcs';
        }
        $service = $this->text('serviceid');
        if ($service === '') {
            throw new MailboxdError('WHMCS passed no service id.');
        }
        return $name . '-' . $service;
    }

    private function domainPath(): string
    {
        return '/v3/domains/' . rawurlencode($this->domain);
    }

    private function requireDomain(): void
    {
        if ($this->domain === '') {
            throw new MailboxdError('The service has no domain. Enter one and repeat this.');
        }
    }

    // Returns the limits of the product, as the server takes them.
    private function limits(): array
    {
        $mailboxes = $this->option(1, 'Mailboxes');
        if ($mailboxes === '0') {
            throw new MailboxdError('Mailboxes is 0; it must be 1 or more, or empty: no limit.');
        }
        $megabytes = $this->option(2, 'Quota');
        return [
            'max_mailboxes' => $mailboxes === '' ? 'none' : $mailboxes,
            'quota_bytes' => (int) $megabytes === 0 ? 'none' : (int) $megabytes * 1024 * 1024,
        ];
    }

    // Returns a setting of the product as digits; empty if it is not set. A configurable option
    // of this name takes precedence.
    private function option(int $number, string $name): string
    {
        $value = $this->params['configoptions'][$name] ?? $this->text('configoption' . $number);
        $value = trim((string) $value);
        if ($value !== '' && !preg_match('/^[0-9]{1,9}$/D', $value)) {
            throw new MailboxdError("$name is '$value'; it must be a whole number, or empty.");
        }
        return $value === '' ? '' : (string) (int) $value;
    }

    private function serverUrl(): string
    {
        $host = $this->text('serverhostname') ?: $this->text('serverip');
        if ($host === '') {
            throw new MailboxdError('The server has no hostname.');
        }
        $isSecure = in_array($this->params['serversecure'] ?? '', [true, 1, '1', 'on'], true);
        if (!$isSecure && !in_array($host, ['localhost', '127.0.0.1', '::1'], true)) {
            throw new MailboxdError(
                'The connection to ' . $host . ' is not secure, so the operator key was not sent. '
                . 'Tick the secure connection in the settings of the server.'
            );
        }
        $port = (int) $this->text('serverport');
        return ($isSecure ? 'https://' : 'http://')
            . (str_contains($host, ':') ? "[$host]" : $host)
            . ($port > 0 ? ":$port" : '');
    }

    // Yields all items of a list, page by page.
    private function pages(string $path, array $parameters, string $items, string $total): iterable
    {
        for ($skip = 0;; $skip += self::PAGE) {
            $query = http_build_query($parameters + ['limit' => self::PAGE, 'skip' => $skip]);
            $page = $this->request('GET', "$path?$query");
            yield from $page[$items] ?? [];
            if ($skip + self::PAGE >= ($page[$total] ?? 0)) {
                return;
            }
        }
    }

    // Sends a request and returns the decoded answer. Throws MailboxdError for every status other
    // than 200. A request whose answer is lost is sent once more: a POST that creates something
    // has an idempotency key, and all others can be repeated.
    private function request(
        string $method,
        string $path,
        array $fields = [],
        string $account = '',
        string $idempotencyKey = ''
    ): array {
        $headers = ['Accept: application/json'];
        if ($account !== '') {
            $headers[] = 'X-Mailgun-On-Behalf-Of: ' . $account;
        }
        if ($idempotencyKey !== '') {
            $headers[] = 'Idempotency-Key: ' . $idempotencyKey;
        }
        $options = [
            CURLOPT_URL => $this->url . $path,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_HTTPAUTH => CURLAUTH_BASIC,
            CURLOPT_USERPWD => 'api:' . $this->key,
            CURLOPT_CONNECTTIMEOUT => self::CONNECT_SECONDS,
            CURLOPT_TIMEOUT => self::ANSWER_SECONDS,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_SSL_VERIFYPEER => true,
            CURLOPT_SSL_VERIFYHOST => 2,
        ];
        if ($method === 'POST' || $method === 'PUT') {
            $options[CURLOPT_POSTFIELDS] = http_build_query($fields);
        }
        for ($isRepeated = false;; $isRepeated = true) {
            $curl = curl_init();
            curl_setopt_array($curl, $options + [CURLOPT_HTTPHEADER => $headers]);
            $body = curl_exec($curl);
            $status = (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
            $failure = curl_errno($curl);
            $reason = curl_error($curl);
            $this->log("$method $path", $fields, $account, $failure ? $reason : $body, $status);
            $isLost = $failure ? in_array($failure, self::LOST_ANSWERS, true)
                : in_array($status, self::GATEWAY_ERRORS, true);
            if (!$isLost || $isRepeated) {
                break;
            }
            sleep(1);
        }
        if ($failure) {
            throw new MailboxdError($this->clean("No answer from {$this->url}: $reason."));
        }
        $answer = json_decode((string) $body, true);
        if ($status === 200 && is_array($answer)) {
            return $answer;
        }
        $word = is_string($answer['code'] ?? null) ? $answer['code'] : '';
        $message = is_string($answer['message'] ?? null) ? $answer['message']
            : "{$this->url} does not answer like mailboxd";
        $message .= $word === '' ? " (status $status)" : " ($word)";
        throw new MailboxdError($this->clean($message), $status, $word);
    }

    // Writes one request to the module log, which is off by default in WHMCS.
    private function log(
        string $request,
        array $fields,
        string $account,
        string|bool $answer,
        int $status
    ): void {
        foreach (['password', 'smtp_password'] as $name) {
            if (isset($fields[$name])) {
                $fields[$name] = '********';
            }
        }
        logModuleCall(
            'mailboxd',
            $this->function,
            ['request' => $request, 'fields' => $fields, 'account' => $account],
            $this->clean((string) $answer),
            "status $status",
            $this->secrets()
        );
    }

    private function secrets(): array
    {
        $secrets = [];
        foreach ([$this->key, $this->password] as $secret) {
            if ($secret !== '') {
                array_push($secrets, $secret, rawurlencode($secret), urlencode($secret));
            }
        }
        $secrets[] = base64_encode('api:' . $this->key);
        return array_values(array_unique($secrets));
    }

    // Removes the secrets from a text. The server does not send them; a proxy's error page might.
    private function clean(string $text): string
    {
        // A shorter password is refused by the server, and would match ordinary words.
        $secrets = array_filter($this->secrets(), fn($secret) => strlen($secret) >= 5);
        return str_replace($secrets, '********', $text);
    }

    // Returns a key for one creation. A repeated request has the same key. The next call of the
    // function has another key, because it first looks for what the last call has left. The
    // answer to an earlier key would name an account that may have been deleted since.
    private function idempotencyKey(string $operation): string
    {
        return "create-$operation-" . $this->accountName() . '-' . bin2hex(random_bytes(12));
    }

    private static function idOf(mixed $account): string
    {
        $id = is_array($account) ? (string) ($account['id'] ?? '') : '';
        if ($id === '') {
            throw new MailboxdError('The server named no id of the account.');
        }
        return $id;
    }

    private static function asciiDomain(string $domain): string
    {
        $ascii = function_exists('idn_to_ascii') ? idn_to_ascii($domain) : $domain;
        return strtolower($ascii ?: $domain);
    }

    private function text(string $name): string
    {
        return trim((string) ($this->params[$name] ?? ''));
    }
}

function mailboxd_MetaData(): array
{
    return [
        'DisplayName' => 'mailboxd',
        'APIVersion' => '1.1',
        'RequiresServer' => true,
        'DefaultNonSSLPort' => '80',
        'DefaultSSLPort' => '443',
    ];
}

function mailboxd_ConfigOptions(): array
{
    return [
        'Mailboxes' => [
            'Type' => 'text',
            'Size' => '10',
            'Default' => '10',
            'Description' => 'The largest number of mailboxes, with postmaster; empty: no limit',
            'SimpleMode' => true,
        ],
        'Quota' => [
            'Type' => 'text',
            'Size' => '10',
            'Default' => '1024',
            'Description' => 'The size of each mailbox in MB; empty or 0: no limit',
            'SimpleMode' => true,
        ],
    ];
}

function mailboxd_CreateAccount(array $params): string
{
    return MailboxdService::run($params, __FUNCTION__, fn($service) => $service->create());
}

function mailboxd_SuspendAccount(array $params): string
{
    return MailboxdService::run($params, __FUNCTION__, fn($service) => $service->suspend());
}

function mailboxd_UnsuspendAccount(array $params): string
{
    return MailboxdService::run($params, __FUNCTION__, fn($service) => $service->unsuspend());
}

function mailboxd_TerminateAccount(array $params): string
{
    return MailboxdService::run($params, __FUNCTION__, fn($service) => $service->terminate());
}

function mailboxd_ChangePackage(array $params): string
{
    return MailboxdService::run($params, __FUNCTION__, fn($service) => $service->changePackage());
}

function mailboxd_ChangePassword(array $params): string
{
    return MailboxdService::run($params, __FUNCTION__, fn($service) => $service->changePassword());
}

// Called once a day for each server, not for each service.
function mailboxd_UsageUpdate(array $params): string
{
    return MailboxdService::run($params, __FUNCTION__, fn($service) => $service->updateUsage());
}

function mailboxd_TestConnection(array $params): array
{
    $result = MailboxdService::run(
        $params,
        __FUNCTION__,
        fn($service) => $service->testConnection()
    );
    return $result === 'success' ? ['success' => true, 'error' => '']
        : ['success' => false, 'error' => $result];
}
